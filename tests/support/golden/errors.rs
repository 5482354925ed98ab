//! The table of golden errors, `tests/golden/errors.txt`: a section for each text that is only the error of one failing
//! command. A section begins with `== name`, and a blank line separates it from the next. Sections are sorted by name.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::PathBuf;

use unix::fcntl::{Flock, FlockArg};

const HEADING: &str = "== ";

fn path() -> PathBuf {
    super::path("errors")
}

/// Returns whether a golden text belongs into the table: one failing command that prints one error and no result.
pub fn belongs(text: &str) -> bool {
    let count = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    text.ends_with('\n')
        && !text.ends_with("\n\n")
        && count("error: ") == 1
        && count("$ ") <= 1
        && count("exit code ") <= 1
        && count(HEADING) == 0
        && count("--- stdout") == 0
        && !text.lines().any(|line| line == "exit code 0")
}

/// Returns the section `name`.
pub fn section(name: &str) -> Option<String> {
    let table = fs::read_to_string(path()).unwrap_or_default();
    parse(&table).remove(name)
}

/// Changes the sections, and writes the table. The table is locked meanwhile, because other processes can change other
/// sections at the same time.
pub fn edit(change: impl FnOnce(&mut BTreeMap<String, String>)) {
    let mut file = lock();
    let mut table = String::new();
    file.read_to_string(&mut table).expect("the table read");
    let mut sections = parse(&table);
    change(&mut sections);
    let new = format(&sections);
    if new != table {
        file.rewind().expect("the table rewound");
        file.set_len(0).expect("the table emptied");
        file.write_all(new.as_bytes()).expect("the table written");
    }
}

/// Opens the table, and locks it until the file is closed.
fn lock() -> Flock<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path())
        .expect("the table opened");
    Flock::lock(file, FlockArg::LockExclusive).expect("the table locked")
}

fn parse(table: &str) -> BTreeMap<String, String> {
    let mut sections = BTreeMap::new();
    let mut rest = table.strip_prefix(HEADING);
    while let Some(section) = rest {
        let (section, next) = match section.split_once("\n\n== ") {
            Some((section, next)) => (format!("{section}\n"), Some(next)),
            None => (section.to_string(), None),
        };
        let (name, text) = section.split_once('\n').expect("a heading");
        sections.insert(name.to_string(), text.to_string());
        rest = next;
    }
    sections
}

fn format(sections: &BTreeMap<String, String>) -> String {
    let sections: Vec<String> = sections
        .iter()
        .map(|(name, text)| format!("{HEADING}{name}\n{text}"))
        .collect();
    sections.join("\n")
}

/// Checks that `errors.txt` is sorted and contains each golden file that is a single error.
/// `UPDATE_GOLDEN=1` moves such files into it.
#[test]
fn single_errors_are_in_the_sorted_table() {
    let mut outside = Vec::new();
    for entry in fs::read_dir(path().with_file_name("")).expect("the golden files") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy();
        if name == "errors" {
            continue;
        }
        if super::is_updating() {
            // Another process may have moved the file since it was listed.
            edit(|sections| {
                if let Ok(text) = fs::read_to_string(&path) {
                    super::place(&name, &text, sections);
                }
            });
        } else if belongs(&fs::read_to_string(&path).expect("a golden file")) {
            outside.push(name.into_owned());
        } else {
            assert_eq!(section(&name), None, "{name} also has its own file");
        }
    }
    assert!(
        outside.is_empty(),
        "UPDATE_GOLDEN=1 moves these files into errors.txt: {outside:?}"
    );
    if super::is_updating() {
        return;
    }
    let table = fs::read_to_string(path()).expect("the table");
    let sections = parse(&table);
    assert_eq!(table, format(&sections), "UPDATE_GOLDEN=1 sorts it");
    for (name, text) in &sections {
        assert!(belongs(text), "{name} is not a single error");
    }
}
