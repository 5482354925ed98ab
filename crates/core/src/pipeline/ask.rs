//! Implements `--ask`: shows how units and the closure will change, and asks for confirmation.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};

use anyhow::{Context as _, Result};

use super::unit_lines::unit_lines;
use super::{Preview, System, SystemStore};
use crate::activation::unit_changes;
use crate::error::{ArgumentError, ProgramError, neutral};
use crate::plan::Plan;
use crate::progress::{for_stderr, store_name};
use crate::session::Session;

/// The maximum number of lines about the closure.
const SHOWN: usize = 15;

/// Shows the affected units and the changed closure, and asks the user to confirm the change. Fails
/// without changing anything if the answer is not yes.
pub fn ask(
    session: &Session,
    plan: &Plan,
    system: &System,
    preview: Option<&Preview>,
) -> Result<()> {
    let (store, to) = (system.store.as_ref(), system.toplevel.as_str());
    let from = plan.from.as_deref();
    let real = |path: &str| store.real_path(path);
    let old = from.map(real).transpose()?;
    let text = match preview {
        Some(preview) => preview.human(),
        None => {
            let changes = unit_changes(old.as_deref(), &real(to)?, &session.locations);
            unit_lines(&changes) + &closures(store, from, to)?
        }
    };
    session.interrupts.check()?;
    session.reporter.pause();
    let answer = question(&plan.purpose, &text)?;
    session.interrupts.check()?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    let purpose = plan.purpose.as_str().into();
    Err(ProgramError::AnsweredNo { purpose }.into())
}

/// Opens the terminal directly, because stdin may be redirected. The pipeline also calls this
/// function before any work, so that `--ask` fails immediately if there is no terminal.
#[expect(
    clippy::disallowed_methods,
    reason = "a terminal is opened for reading and writing"
)]
pub fn terminal() -> Result<File> {
    let terminal = File::options().read(true).write(true).open("/dev/tty");
    terminal.map_err(|_| ArgumentError::NoTerminal.into())
}

fn question(purpose: &str, text: &str) -> Result<String> {
    let mut terminal = terminal()?;
    let text: String = text.lines().map(|line| neutral(line) + "\n").collect();
    let text = for_stderr(&format!("{text}{}? [y/N] ", neutral(purpose)));
    write!(terminal, "{text}").context("cannot write to the terminal")?;
    let mut answer = String::new();
    BufReader::new(terminal)
        .read_line(&mut answer)
        .context("cannot read the answer from the terminal")?;
    Ok(answer)
}

fn closures(store: &dyn SystemStore, from: Option<&str>, to: &str) -> Result<String> {
    let paths = |path: Option<&str>| -> Result<BTreeSet<String>> {
        let list = path.map(|path| store.closure(path)).transpose()?;
        Ok(list.into_iter().flatten().collect())
    };
    // An external switch may have activated a system that is not in this store.
    let before = paths(from.filter(|path| store.is_valid(path).unwrap_or(false)))?;
    Ok(difference(&before, &paths(Some(to))?))
}

/// Describes the difference between two closures by the names and versions of their paths.
fn difference(before: &BTreeSet<String>, after: &BTreeSet<String>) -> String {
    let mut names: BTreeMap<String, [Vec<String>; 2]> = BTreeMap::new();
    for (side, (paths, others)) in [(before, after), (after, before)].into_iter().enumerate() {
        for path in paths.difference(others) {
            let (name, version) = version(&store_name(path));
            names.entry(name).or_default()[side].push(version);
        }
    }
    let words = |versions: &[String]| {
        let known: Vec<&str> = versions
            .iter()
            .map(String::as_str)
            .filter(|v| !v.is_empty())
            .collect();
        known.join(", ")
    };
    // A path without a version is shown as `present`.
    let or_present = |words: String| match words.as_str() {
        "" => "present".to_string(),
        _ => words,
    };
    let lines: Vec<String> = names
        .iter()
        .map(
            |(name, [old, new])| match (old.is_empty(), new.is_empty()) {
                (true, _) => format!("  + {name} {}", words(new)),
                (_, true) => format!("  - {name} {}", words(old)),
                _ if old == new => format!("  ~ {name} {}", words(new)),
                _ => {
                    let (old, new) = (or_present(words(old)), or_present(words(new)));
                    format!("  ~ {name} {old} -> {new}")
                }
            },
        )
        .collect();
    let mut text = format!(
        "closure: {} paths before, {} after\n",
        before.len(),
        after.len()
    );
    for line in lines.iter().take(SHOWN) {
        text += line.trim_end();
        text.push('\n');
    }
    if lines.len() > SHOWN {
        text += &format!("  and {} more\n", lines.len() - SHOWN);
    }
    text
}

/// Splits `git-2.44.1` into `git` and `2.44.1`. As in Nix, the version begins at the first dash
/// that is followed by a digit.
fn version(name: &str) -> (String, String) {
    let dash = name
        .match_indices('-')
        .find(|(at, _)| name[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    match dash {
        Some((at, _)) => (name[..at].to_string(), name[at + 1..].to_string()),
        None => (name.to_string(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closures_differ_by_name_and_version() {
        let set = |names: &[&str]| -> BTreeSet<String> {
            let paths = names.iter().enumerate();
            paths
                .map(|(n, name)| format!("/nix/store/{n:032}-{name}"))
                .collect()
        };
        let before = set(&["base", "git-2.44.1", "gone-1", "tool"]);
        let after = set(&["base", "git-2.45.0", "tool-1", "unit-web.service", "vim-9"]);
        assert_eq!(
            difference(&before, &after),
            "closure: 4 paths before, 5 after\n  ~ git 2.44.1 -> 2.45.0\n  - gone 1\n  ~ tool present -> 1\n  + unit-web.service\n  + vim 9\n"
        );
    }
}
