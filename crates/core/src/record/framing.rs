//! The format of append-only files.
//!
//! A record is a line with three parts: the length of the JSON, the CRC-32 of the JSON in
//! hexadecimal, and the JSON. An incomplete last line comes from an interrupted write and is
//! ignored. All other damage is an error.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;

use crate::error::RecordError;

/// An append-only file.
pub(super) struct RecordFile {
    pub path: PathBuf,
    /// A description of the content for messages, such as `history`.
    pub name: &'static str,
}

/// The intact records of a file, and the position at which they end.
pub(super) struct Records<'a> {
    /// The JSON of each record, oldest first.
    pub json: Vec<&'a str>,
    /// The number of bytes up to the end of the last intact record.
    pub length: u64,
}

impl RecordFile {
    /// Reads the file. Treats a missing file as empty.
    pub fn text(&self) -> Result<String> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error).with_context(|| self.action()),
        }
    }

    /// Splits the content of the file into records.
    pub fn records<'a>(&self, text: &'a str) -> Result<Records<'a>, RecordError> {
        let mut found = Records {
            json: Vec::new(),
            length: 0,
        };
        for line in text.split_inclusive('\n') {
            // An interrupted write leaves a line without a newline. Only the last line of a file
            // can be such a line.
            let Some(whole) = line.strip_suffix('\n') else {
                break;
            };
            let line_number = found.json.len() + 1;
            let place = || format!("line {line_number}");
            let json = record(whole).ok_or_else(|| self.damaged(place()))?;
            found.json.push(json);
            found.length += line.len() as u64;
        }
        Ok(found)
    }

    /// Parses the JSON of all records.
    pub fn parse<T: DeserializeOwned>(&self, records: &[&str]) -> Result<Vec<T>> {
        let parse = |(index, json): (usize, &&str)| {
            let place = || format!("line {}", index + 1);
            serde_json::from_str(json).map_err(|error| self.unknown(place(), &error).into())
        };
        records.iter().enumerate().map(parse).collect()
    }

    /// Returns the first part of an error message: the action that failed.
    pub fn action(&self) -> String {
        format!("cannot read the {} {}", self.name, self.path.display())
    }

    /// Returns the error for a damaged record.
    pub fn damaged(&self, place: String) -> RecordError {
        RecordError::DamagedRecord {
            history: self.name,
            path: self.path.display().to_string(),
            place,
        }
    }

    /// Returns the error for an intact record that this version cannot parse.
    pub fn unknown(&self, place: String, error: &serde_json::Error) -> RecordError {
        RecordError::UnknownRecord {
            history: self.name,
            path: self.path.display().to_string(),
            place,
            reason: error.to_string(),
        }
    }
}

/// Formats a record as a line.
pub(super) fn written(json: &str) -> String {
    format!(
        "{} {:08x} {json}\n",
        json.len(),
        crc32fast::hash(json.as_bytes())
    )
}

/// Returns the JSON of an intact record, or `None` for a damaged record. `line` does not include
/// the newline.
pub(super) fn record(line: &str) -> Option<&str> {
    let (length, rest) = line.split_once(' ')?;
    let (sum, json) = rest.split_once(' ')?;
    let whole = length.parse() == Ok(json.len())
        && u32::from_str_radix(sum, 16) == Ok(crc32fast::hash(json.as_bytes()));
    whole.then_some(json)
}
