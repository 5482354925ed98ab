//! `__errors`: prints docs/errors.md from the declarations of the messages.

use std::fmt::Write as _;

use anyhow::Result;

use runtime_module_core::error::{Failure, KnownError};
use runtime_module_core::output::say;
use runtime_module_nix::evaluation::known_errors;
use runtime_module_nix::realise::known_failures;

use crate::error::rows;

const HEAD: &str = "# Errors

This page lists the error messages with their meanings and the next steps. A message says what failed, on which object,
and why. Details and hints follow the message; each hint begins with `hint:`. With `--json`, a message is an object
`error` with `kind`, `message`, `details` and `hints`. `…` stands for a part that varies.

If libnix cannot be loaded, the dynamic linker prints `error while loading shared libraries: …` with the name of the
library, and the exit code is 127. `status`, `history`, `confirm` and `recover` do not load libnix, so they still work.
`list`, `rollback` and `reset` usually work too: they load libnix only if they need it, for example for `list --flake`.

`scripts/docs` writes this page from the declarations of the messages in the modules `error` of `crates/`.

| exit code | kind | meaning |
|---|---|---|
";

pub fn run() -> Result<()> {
    say(page())
}

fn page() -> String {
    let mut page = String::from(HEAD);
    for kind in Failure::ALL {
        let _ = writeln!(
            page,
            "| {} | `{}` | {} |",
            kind.code(),
            kind.name(),
            kind.means()
        );
    }
    for kind in Failure::ALL {
        let _ = write!(page, "\n## {}: {}\n\n", kind.code(), kind.means());
        if kind == Failure::Usage {
            page.push_str("Errors from the command-line parser show how the command is used, and are not listed here.\n\n");
        }
        for row in rows().filter(|row| row.kind == kind) {
            let (text, means, next) = (row.pattern(), row.means, row.next);
            let text = text.trim_start_matches("…: ");
            let _ = write!(page, "- `{text}`\n  {means} *Next:* {next}\n");
        }
    }
    section(
        &mut page,
        "Messages of Nix and nixpkgs about an evaluation",
        known_errors(),
    );
    section(
        &mut page,
        "Common causes of build failures",
        known_failures(),
    );
    page
}

fn section(page: &mut String, title: &str, known: &[KnownError]) {
    let _ = write!(page, "\n## {title}\n\n");
    for (texts, hint) in known {
        let texts: Vec<String> = texts.iter().map(|text| format!("`` {text} ``")).collect();
        let _ = write!(page, "- {}\n  {hint}\n", texts.join(" or "));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_text_has_one_row_per_kind() {
        let mut seen = BTreeSet::new();
        for row in rows() {
            let name = (row.kind.code(), row.pattern());
            assert!(seen.insert(name), "two rows with {}", row.pattern());
        }
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

    #[test]
    fn errors_page_is_up_to_date() {
        let written =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors.md"));
        assert!(
            written.is_ok_and(|written| written == page()),
            "docs/errors.md is outdated: run scripts/docs"
        );
    }
}
