//! Reads and writes JSON files with a schema version.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::disk::replace;
use crate::error::RecordError;
use crate::fault::Point;

/// The schema version of `state.json`, `wanted.json` and `overrides.json`.
pub const SCHEMA: u64 = 1;

/// Reads a JSON file with a schema version. Returns `None` if the file does not exist. If the file
/// is damaged or has a different schema version, the error has the hint `remedy`.
pub fn read_json<T: DeserializeOwned>(path: &Path, remedy: &str) -> Result<Option<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    parse_json(&text, path.display().to_string(), remedy.into()).map(Some)
}

fn parse_json<T: DeserializeOwned>(text: &[u8], path: String, remedy: String) -> Result<T> {
    let damaged = |path, remedy, error: serde_json::Error| RecordError::Damaged {
        path,
        reason: error.to_string(),
        remedy,
    };
    let value: serde_json::Value = match serde_json::from_slice(text) {
        Ok(value) => value,
        Err(error) => return Err(damaged(path, remedy, error).into()),
    };
    let found = match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(found) => found,
        None => return Err(RecordError::NoSchema { path, remedy }.into()),
    };
    if found != SCHEMA {
        return Err(RecordError::OtherSchema {
            path,
            found,
            supported: SCHEMA,
            remedy,
        }
        .into());
    }
    serde_json::from_value(value).map_err(|error| damaged(path, remedy, error).into())
}

/// Atomically replaces a file that all users may read.
pub(super) fn write_json<T: Serialize>(path: &Path, value: &T, point: Point) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).context("cannot write JSON")?;
    text.push('\n');
    replace(path, text.as_bytes(), 0o644, point)
}
