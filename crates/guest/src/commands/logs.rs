//! `logs`: prints the output of a guest's console.

use anyhow::Result;
use runtime_module_core::output::{document, say};
use schemars::JsonSchema;
use serde::Serialize;

use super::running::running;
use crate::milestones::plain_text;
use crate::runtime_folder::RuntimeFolder;
use crate::session::Session;
use crate::supervisor::{LOG, OLDER_LOG};

/// The JSON document that `logs` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ConsoleOutput {
    /// The version of this document.
    schema: u64,
    /// The name of the guest.
    name: String,
    /// The lines, without escape sequences.
    lines: Vec<String>,
}

/// Prints the lines of the console, without escape sequences.
pub fn run(session: &Session, name: &str, lines: Option<usize>) -> Result<u8> {
    let (name, folder) = running(session, name)?;
    let lines = last_lines(&folder, lines.unwrap_or(usize::MAX));
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let name = name.to_string();
    say(match session.json {
        true => document(&ConsoleOutput {
            schema: 1,
            name,
            lines,
        })?,
        false => text,
    })?;
    Ok(0)
}

/// Returns the last lines of the console's log.
pub(super) fn last_lines(folder: &RuntimeFolder, count: usize) -> Vec<String> {
    let read = |name| std::fs::read(folder.file(name)).unwrap_or_default();
    let bytes = [read(OLDER_LOG), read(LOG)].concat();
    let lines: Vec<String> = bytes.split(|byte| *byte == b'\n').map(plain_text).collect();
    let lines = lines.strip_suffix(&[String::new()]).unwrap_or(&lines);
    lines[lines.len().saturating_sub(count)..].to_vec()
}
