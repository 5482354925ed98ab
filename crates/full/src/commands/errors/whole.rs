//! Tests that the table of messages is complete.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;

use runtime_module_core::error::{Row, TABLE, one_line};
use runtime_module_nix::evaluation::known_errors;
use runtime_module_nix::realise::known_failures;

/// Parts of messages from the command line parser.
const PARSER: [&str; 7] = [
    "requires a subcommand",
    "unrecognized subcommand",
    "unexpected argument",
    "invalid value '",
    "required arguments were not provided",
    "cannot be used with",
    "values required for",
];

/// Returns whether a message contains the text of a row.
fn fits(row: &Row, message: &str) -> bool {
    let mut rest = message;
    row.text.split('…').all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

fn rows(message: &str) -> Vec<&'static Row> {
    TABLE.iter().filter(|row| fits(row, message)).collect()
}

fn files(folder: &Path, ending: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.to_string_lossy().ends_with(ending) {
            let text = fs::read_to_string(&path).expect("a text");
            found.push((path.display().to_string(), text));
        }
    }
}

fn all(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let top = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(folder);
    files(&top, ending, &mut found);
    found
}

#[test]
fn table_has_every_message_of_the_program() {
    let said =
        Regex::new(r#"(?s)(?:\.error\(|\bfailure\()\s*(?:&?format!\(\s*)?"((?:[^"\\]|\\.)*)""#)
            .expect("a pattern");
    let lines = Regex::new(r"\\\n\s*").expect("a pattern");
    let varying = Regex::new(r"\{[^}]*\}").expect("a pattern");
    let mut missing = BTreeSet::new();
    for (file, text) in all("crates", ".rs") {
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        if file.ends_with("/tests.rs") || file.contains("/error/") {
            continue;
        }
        for found in said.captures_iter(program) {
            let text = lines.replace_all(&found[1], "");
            let text = varying.replace_all(&text, "…").replace("\\\"", "\"");
            // Skip messages that only forward another message.
            if text.replace(['…', ':', ' '], "").is_empty() {
                continue;
            }
            if rows(&text).is_empty() {
                missing.insert(format!("{file}: {text}"));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "not in crates/core/src/error/table.rs: {missing:#?}"
    );
}

#[test]
fn table_has_every_golden_message_and_exit_code() {
    let code = Regex::new(r"(?m)^exit code (\d+)$").expect("a pattern");
    let error =
        Regex::new(r#"(?m)^(?:error: |    "message": ")(.*?)(?:",?)?$"#).expect("a pattern");
    let mut missing = BTreeSet::new();
    for (file, text) in all("tests/golden", ".txt") {
        // These messages are wrapped, and another file has each of them in full.
        if file.contains("/screens-") {
            continue;
        }
        let code = code.captures(&text).and_then(|found| found[1].parse().ok());
        let Some(found) = error.captures(&text) else {
            continue;
        };
        let message = &found[1];
        let parser = PARSER.iter().any(|words| message.contains(words));
        let right = |row: &&Row| code.is_none_or(|code: u8| row.kind.code() == code);
        if !parser && !rows(message).iter().any(right) {
            missing.insert(format!("{file}: {code:?} {message}"));
        }
    }
    assert!(
        missing.is_empty(),
        "not in crates/core/src/error/table.rs: {missing:#?}"
    );
}

#[test]
fn every_row_is_used() {
    let program: String = all("crates", ".rs")
        .into_iter()
        .filter(|(file, _)| !file.contains("/error/"))
        .map(|(_, text)| text)
        .collect();
    let mut seen = one_line(&program);
    for (_, text) in all("tests/golden", ".txt") {
        seen.push_str(&text);
    }
    let said = |row: &&Row| {
        let mut parts = row.text.split('…').map(str::trim);
        parts.all(|part| seen.contains(part))
    };
    let unsaid: Vec<&str> = TABLE
        .iter()
        .filter(|row| !said(row))
        .map(|row| row.text)
        .collect();
    assert!(unsaid.is_empty(), "rows without a message: {unsaid:#?}");
}

#[test]
fn known_errors_have_texts_and_hints() {
    let mut texts: BTreeSet<&str> = BTreeSet::new();
    for (known, hint) in known_errors().iter().chain(known_failures()) {
        assert!(!known.is_empty() && !hint.is_empty());
        texts.extend(known.iter().copied());
    }
    assert!(texts.len() > 30, "{texts:?}");
}
