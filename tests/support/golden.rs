//! Golden files: complete texts that must not change unnoticed. `UPDATE_GOLDEN=1` rewrites them. Single errors share
//! the file `errors.txt`; each other text has its own file.

mod errors;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

/// Patterns for text that differs between runs, with their replacements, in the order in which they apply.
const CHANGING: [(&str, &str); 27] = [
    // The compressed size of a download depends on the hashes in it.
    (r"\([\d.]+ kB to download", "(<n> kB to download"),
    // Phases that took no time are omitted from this line, which may be wrapped.
    (r"(?m)^total \d.*$(\n +([a-z]+ )?\d.*$)*", "total <times>"),
    // Plain progress lines of a benchmark, which are printed only if it takes long.
    (r"(?m)^bench: \d+ %, .*\n", ""),
    // The system features of this machine: `kvm`, for example, depends on access to /dev/kvm.
    (
        r"but I am a '[^']*' with features \{[^}]*\}",
        "but I am a '<system>' with features {<features>}",
    ),
    // Store paths and hashes.
    (r"\b[0-9a-df-np-sv-z]{32}-", "<hash>-"),
    (r"sha256-(?:[A-Za-z0-9+/]|%2[BF])+(=|%3D)", "<hash>"),
    (r"lastModified=\d+", "lastModified=<n>"),
    (r#""boot": "[-0-9a-f]+""#, r#""boot": "<boot>""#),
    // The position of a parse error in a truncated file depends on the length of the hashes before it.
    (r"at line \d+ column \d+", "at line <n> column <n>"),
    // Transaction names and PIDs.
    (r"\b1\d{12}-\d+\b", "<transaction>"),
    (r"\(process \d+\)", "(process <n>)"),
    // Times, including those in aligned columns.
    (r" *\b(\d+ m \d\d s|\d+(\.\d+)? (ms|s))\b", " <time>"),
    (
        r#"("milliseconds"|"cpu"|"open"|"lock"|"evaluate"|"query"|"fetch"|"build"|"activate"|"total"): [\d.]+"#,
        "$1: <time>",
    ),
    (r#"("time"|"lastModified"): \d+"#, "$1: <time>"),
    // Measurements of `check`.
    (r" *\b[\d.]+ [kMG]?B(  box| \|)", " <n>$1"),
    (r#"time="[\d.]+""#, "time=<time>"),
    (
        r#"("(?:milliseconds|bytes|thunks|functionCalls|primopCalls|lookups|values|allocatedBytes|heapBytes|collections|cpu|peakBytes|files|initialHeapBytes)"):[\d.]+"#,
        "$1:<n>",
    ),
    // Counters of the evaluator.
    (r"\b[\d,]+ (files|thunks|calls)\b", "<n> $1"),
    (r"\b(no collection|\d+ collections?)\b", "<n> collections"),
    (r"\b[\d.]+ (B|[kMG]B) allocated\b", "<n> allocated"),
    (r"\bpeak [\d.]+ (B|[kMG]B)", "peak <n>"),
    (
        r#"("(?:thunks|functionCalls|primopCalls|lookups|values|allocatedBytes|heapBytes|collections|peakBytes|files|initialHeapBytes)"): \d+"#,
        "$1: <n>",
    ),
    // Positions of errors inside the fixture's own library.
    (
        r#"(?m)at tests/minios/(lib|pkgs|modules)/[^"\n]*("?,?)\n.* \| .*$"#,
        "at <a line of the fixture's $1>$2",
    ),
    (r"thread 'evaluation' \(\d+\)", "thread 'evaluation' (<n>)"),
    // Versions.
    (r"runtime-module \d+\.\d+\.\d+", "runtime-module <version>"),
    (
        r"(libnix |libnix is |lock the flake with Nix )\d+(?:\.\d+)+",
        "$1<version>",
    ),
    // Trailing whitespace, which log lines can have after they are truncated.
    (r"[ \t]+\n", "\n"),
];

/// Words of newer releases of libnix and curl, with the words of Nix 2.26 and its curl. They apply after the patterns
/// above.
const WORDS: [(&str, &str); 8] = [
    (r#" at "(T/[^"\n]*)""#, " at '$1'"),
    (r"expecting 'inherit'", "expecting INHERIT"),
    (r"absolute path '/etc/hostname'", "absolute path '/etc'"),
    (
        r"doesn't fetch unlocked input",
        "will not fetch unlocked input",
    ),
    (r"Could not connect to server", "Couldn't connect to server"),
    (
        r"Failed to connect to localhost:1 ",
        "Failed to connect to localhost port 1 ",
    ),
    (r"(?m)^warning: bell +done$", "warning: done"),
    // Since 2.28, an error about a file that git does not track also says how to add it.
    (
        r#"Path '([^']+)' in the repository "[^"]+" is not tracked by Git\.\n +To make it visible to Nix, run:\n +git .*\n"#,
        "path 'T/store/<hash>-source/$1' does not exist\n",
    ),
];

static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    CHANGING
        .iter()
        .chain(&WORDS)
        .map(|(rule, name)| (Regex::new(rule).expect("a rule"), *name))
        .collect()
});

/// Replaces everything that differs between runs.
pub fn normalise(text: &str, place: &Path) -> String {
    let mut text = text.replace(&place.display().to_string(), "T");
    for (rule, name) in RULES.iter() {
        text = rule.replace_all(&text, *name).into_owned();
    }
    sort_builds(&text)
}

/// Sorts consecutive `build:` lines, whose order depends on hashes.
fn sort_builds(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    for group in lines.chunk_by_mut(|a, b| is_build(a) && is_build(b)) {
        group.sort_unstable();
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn is_build(line: &str) -> bool {
    line.strip_prefix("build: ")
        .is_some_and(|rest| rest != "<time>")
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(format!(
        "{}/tests/golden/{name}.txt",
        env!("CARGO_MANIFEST_DIR")
    ))
}

fn is_updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

/// Writes a golden text to its own file or into `sections`, and removes it from the other place.
fn place(name: &str, text: &str, sections: &mut BTreeMap<String, String>) {
    if errors::belongs(text) {
        sections.insert(name.to_string(), text.to_string());
        match fs::remove_file(path(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => panic!("{name}: {error}"),
            _ => {}
        }
    } else {
        sections.remove(name);
        fs::write(path(name), text).expect("the golden file written");
    }
}

/// Compares `text` with the golden text `name`.
pub fn compare(name: &str, text: &str) {
    if is_updating() {
        return errors::edit(|sections| place(name, text, sections));
    }
    let golden = fs::read_to_string(path(name)).ok();
    let golden = golden.or_else(|| errors::section(name)).unwrap_or_default();
    assert!(
        golden == text,
        "golden text {name}\n{}(UPDATE_GOLDEN=1 accepts the new text)",
        difference(&golden, text)
    );
}

/// Formats the lines that differ, with the number of equal lines before and after them.
fn difference(golden: &str, text: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (golden.lines().collect(), text.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[head..]
        .iter()
        .rev()
        .zip(new[head..].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let lines = |sign: char, lines: &[&str]| {
        lines
            .iter()
            .map(|line| format!("{sign} {line}\n"))
            .collect::<String>()
    };
    format!(
        "  ({head} lines are the same)\n{}{}  ({tail} lines are the same)\n",
        lines('-', &old[head..old.len() - tail]),
        lines('+', &new[head..new.len() - tail])
    )
}
