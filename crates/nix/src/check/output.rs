//! Prints the results of a check in one of its formats.

use std::io::IsTerminal as _;

use anyhow::{Context as _, Result};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::{CheckRow, CheckSummary, formats, human, junit};
use crate::choice::CheckFormat;
use crate::error::CheckError;
use crate::error_output::AlreadyPrinted;
use crate::output::{document, say};
use crate::progress::for_stdout;
use crate::session::NixSession;

/// The JSON document that `check` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CheckDocument<'a> {
    schema: u64,
    /// The results, sorted by host and modules.
    results: &'a [CheckRow],
    /// A summary of all rows.
    summary: &'a CheckSummary,
    /// Remarks that are not failures.
    notes: &'a [String],
}

/// The last line of `check --format jsonl`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CheckEnd<'a> {
    schema: u64,
    /// A summary of all rows.
    summary: &'a CheckSummary,
}

/// The printer of rows.
pub struct Output {
    pub format: CheckFormat,
    /// URI of the main file, relative to the top of its tree.
    pub top: String,
    pub rows: Vec<CheckRow>,
    /// Notes to print at the end. They do not affect the exit code.
    pub notes: Vec<String>,
}

impl Output {
    pub fn begin(&self, session: &NixSession) -> Result<()> {
        match self.format {
            CheckFormat::Table => print_beside_json(session, human::head()),
            _ => Ok(()),
        }
    }

    /// Prints a note immediately, or keeps it for the end of a JSON document.
    pub fn note(&mut self, session: &NixSession, note: String) {
        match self.format {
            CheckFormat::Json => self.notes.push(note),
            _ => session.reporter.note(note),
        }
    }

    pub fn row(&mut self, session: &NixSession, row: CheckRow) -> Result<()> {
        match self.format {
            CheckFormat::Table => print_beside_json(session, for_stdout(&human::row(&row)))?,
            CheckFormat::Jsonl => print_beside_json(
                session,
                serde_json::to_string(&row).context("cannot write JSON")? + "\n",
            )?,
            CheckFormat::Github => print_beside_json(session, formats::github(&row))?,
            _ => {}
        }
        self.notes.extend(row.notes.clone());
        self.rows.push(row);
        Ok(())
    }

    pub fn end(mut self, session: &NixSession, summary: &CheckSummary) -> Result<()> {
        session.interrupts.settle();
        // In these formats, stdout is machine-readable and does not contain the notes.
        if let CheckFormat::Jsonl | CheckFormat::Junit | CheckFormat::Sarif = self.format {
            for note in &self.notes {
                session.reporter.note(note);
            }
        }
        session.reporter.finish();
        // Sort the rows, because they arrive in any order.
        self.rows.sort_by(|a, b| {
            (&a.host, a.modules.len(), &a.modules).cmp(&(&b.host, b.modules.len(), &b.modules))
        });
        let Self { rows, notes, .. } = &self;
        let text = match self.format {
            CheckFormat::Table => for_stdout(&human::foot(summary, notes)),
            CheckFormat::Jsonl => json!(CheckEnd { schema: 1, summary }).to_string() + "\n",
            CheckFormat::Json => document(&json!(CheckDocument {
                schema: 1,
                results: rows,
                summary,
                notes,
            }))?,
            CheckFormat::Junit => junit::junit(rows, summary)?,
            // Each note was already printed as an annotation.
            CheckFormat::Github => human::foot(summary, &[]),
            CheckFormat::Sarif => formats::sarif(rows, &self.top)?,
            CheckFormat::Markdown => human::markdown(rows, summary, notes),
        };
        say(&text)?;
        if summary.failed == 0 {
            return Ok(());
        }
        let (failed, checked) = (summary.failed, summary.checked);
        let error = anyhow::Error::from(CheckError::CombinationsFailed { failed, checked });
        Err(match self.format {
            // The document already contains everything.
            CheckFormat::Json => error.context(AlreadyPrinted),
            _ => error,
        })
    }
}

/// Prints a part of the result while the check runs. If bars are drawn on the same terminal, the
/// renderer prints the part.
fn print_beside_json(session: &NixSession, text: String) -> Result<()> {
    if session.reporter.draws() && std::io::stdout().is_terminal() {
        session.reporter.row(text);
        return Ok(());
    }
    say(&text)
}
