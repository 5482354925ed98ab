//! The history of option overrides of this boot, an append-only file with one record for each
//! generation. `framing.rs` describes the format of a record.
//!
//! Appending reads only the end of the file, so its cost does not depend on the number of
//! generations.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use anyhow::{Context as _, Result};

use super::disk;
use super::framing::{RecordFile, record, written};
use crate::error::RecordError;
use crate::fault::Point;
use crate::locations::Locations;
use crate::overrides::Generation;

/// Appends a generation, unless it is already the last record: if the state could not be saved,
/// `recover --finish` records the same generation again. Removes an incomplete last record.
pub fn append(locations: &Locations, generation: &Generation) -> Result<()> {
    let end = end(locations)?;
    if let Some(last) = &end.last {
        if last.number == generation.number && last.transaction == generation.transaction {
            return Ok(());
        }
        if last.number >= generation.number {
            return Err(RecordError::GenerationNotNext {
                path: locations.overrides_log().display().to_string(),
                generation: generation.number,
                last: last.number,
            }
            .into());
        }
    }
    let json = serde_json::to_string(generation).context("cannot write JSON")?;
    let path = locations.overrides_log();
    disk::append(
        &path,
        end.length,
        written(&json).as_bytes(),
        Point::WriteOverrides,
    )
}

/// Reads the last generation. The cost does not depend on the number of generations.
pub fn last(locations: &Locations) -> Result<Option<Generation>> {
    Ok(end(locations)?.last)
}

/// Reads all generations, oldest first.
pub fn read(locations: &Locations) -> Result<Vec<Generation>> {
    let file = file(locations);
    let text = file.text()?;
    file.parse(&file.records(&text)?.json)
}

fn file(locations: &Locations) -> RecordFile {
    RecordFile {
        path: locations.overrides_log(),
        name: "history of overrides",
    }
}

/// The end of the file with the history of overrides.
struct LogEnd {
    last: Option<Generation>,
    /// The number of bytes up to the end of the last complete line.
    length: u64,
}

fn end(locations: &Locations) -> Result<LogEnd> {
    let file = file(locations);
    let opened = match File::open(&file.path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(LogEnd {
                last: None,
                length: 0,
            });
        }
        Err(error) => return Err(error).with_context(|| file.action()),
    };
    let (line, length) = last_line(opened).with_context(|| file.action())?;
    if length == 0 {
        return Ok(LogEnd { last: None, length });
    }
    let place = || "the last record".to_string();
    let line = std::str::from_utf8(&line).ok();
    let json = line.and_then(record).ok_or_else(|| file.damaged(place()))?;
    let last = serde_json::from_str(json).map_err(|error| file.unknown(place(), &error))?;
    Ok(LogEnd {
        last: Some(last),
        length,
    })
}

/// The number of bytes to read in one step.
const BLOCK: u64 = 4096;

/// Returns the last complete line without its newline, and the number of bytes up to the end of
/// this line. Reads backwards, from the end of the file to the beginning of the line.
fn last_line(mut file: impl Read + Seek) -> io::Result<(Vec<u8>, u64)> {
    let mut start = file.seek(SeekFrom::End(0))?;
    let mut tail: Vec<u8> = Vec::new();
    loop {
        let end = tail.iter().rposition(|byte| *byte == b'\n');
        if let Some(end) = end {
            let before = tail[..end].iter().rposition(|byte| *byte == b'\n');
            if let Some(first) = before.map(|at| at + 1).or((start == 0).then_some(0)) {
                return Ok((tail[first..end].to_vec(), start + end as u64 + 1));
            }
        }
        if start == 0 {
            return Ok((Vec::new(), 0));
        }
        // Double the size of each step, so that a long line is not copied too often.
        let more = start.min(BLOCK.max(tail.len() as u64));
        start -= more;
        file.seek(SeekFrom::Start(start))?;
        let mut block = Vec::new();
        file.by_ref().take(more).read_to_end(&mut block)?;
        block.append(&mut tail);
        tail = block;
    }
}

#[cfg(test)]
mod tests;
