//! `__errors`: docs/errors.md, from the tables that the program itself goes by.

use std::fmt::Write as _;

use anyhow::Result;

use crate::error::{Failure, Known, Row, TABLE};
use crate::evaluation::known_errors;
use crate::realise::known_failures;

const HEAD: &str = "# Errors

Every message there is, what it means, and what to do. A message says what was tried, on what, and why it failed; below it
stand details, and hints that begin with `hint:`. With `--json` it is an object, `error`, with `kind`, `message`, `details`
and `hints`. `…` stands for what differs from case to case.

This page is written by `scripts/docs` from the program's own tables (`src/error/table.rs`).

| exit code | kind | means |
|---|---|---|
";

/// Prints the page.
pub fn run() -> Result<()> {
    super::say(page())
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
            page.push_str("What the command line's parser says stands beside its usage, and is not listed here.\n\n");
        }
        for Row {
            says, means, next, ..
        } in TABLE.iter().filter(|row| row.kind == kind)
        {
            let _ = write!(
                page,
                "- `{}`\n  {means} *Next:* {next}\n",
                says.trim_start_matches("…: ")
            );
        }
    }
    section(
        &mut page,
        "What Nix and nixpkgs say of an evaluation",
        known_errors(),
    );
    section(&mut page, "Why builds fail", known_failures());
    page
}

fn section(page: &mut String, title: &str, known: &[Known]) {
    let _ = write!(page, "\n## {title}\n\n");
    for (texts, hint) in known {
        let texts: Vec<String> = texts.iter().map(|text| format!("`` {text} ``")).collect();
        let _ = write!(page, "- {}\n  {hint}\n", texts.join(" or "));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_is_what_the_tables_give() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md"));
        assert!(
            page.is_ok_and(|page| page == super::page()),
            "docs/errors.md is not current: scripts/docs"
        );
    }
}
