//! The log of a transaction, which contains the output of the switch program and our own remarks.
//! The log is a file instead of a pipe, so that the switch continues if the reader dies or stops
//! reading.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::record::{open_log, remark};

/// The interval between two reads of a log.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A log that this process writes.
pub(super) struct Log {
    pub(super) path: PathBuf,
    file: File,
    journal: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Log {
    /// Opens a log. Copies all lines to stdout, which is the journal if this process runs in a
    /// unit.
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let tail = Tail::open(&path)?;
        let end = Arc::new(AtomicBool::new(false));
        let flag = end.clone();
        // Copy on a separate thread, so that a blocked journal does not block the switch.
        let thread = std::thread::spawn(move || copy(tail, &flag));
        Ok(Self {
            file: open_log(&path)?,
            path,
            journal: Some((end, thread)),
        })
    }

    /// Returns a file handle for the switch program.
    pub(super) fn share(&self) -> Result<File> {
        self.file
            .try_clone()
            .context("cannot open the log for the switch program")
    }

    /// Appends a remark. Ignores errors, because a missing remark does not affect the transaction.
    pub(super) fn say(&mut self, text: &str) {
        let _ = remark(&mut self.file, text);
    }

    /// Returns a reader for the lines that are written from now on.
    pub(super) fn tail(&self) -> Result<Tail> {
        let mut tail = Tail::open(&self.path)?;
        tail.file
            .seek(SeekFrom::End(0))
            .context("cannot read the log")?;
        Ok(tail)
    }

    /// Closes the log. Waits briefly, so that the journal can receive the remaining lines.
    pub(super) fn close(mut self) {
        if let Some((end, thread)) = self.journal.take() {
            end.store(true, Ordering::SeqCst);
            for _ in 0..50 {
                if thread.is_finished() {
                    return;
                }
                std::thread::sleep(POLL_INTERVAL / 4);
            }
        }
    }
}

fn copy(mut tail: Tail, end: &AtomicBool) {
    let mut out = std::io::stdout();
    loop {
        let last = end.load(Ordering::SeqCst);
        for line in tail.lines(last) {
            let line = crate::error::neutral(&line);
            if writeln!(out, "{line}").is_err() {
                return;
            }
        }
        if last {
            return;
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// A reader of the new lines in a growing file.
pub(super) struct Tail {
    file: File,
    rest: Vec<u8>,
}

/// The maximum length of an incomplete line in bytes. A longer line is split.
const LONGEST: usize = 64 << 10;

impl Tail {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file =
            File::open(path).with_context(|| format!("cannot read the log {}", path.display()))?;
        Ok(Self {
            file,
            rest: Vec::new(),
        })
    }

    /// Returns the new complete lines. With `end`, also returns an unterminated last line. Ignores
    /// read errors.
    pub(super) fn lines(&mut self, end: bool) -> Vec<String> {
        let _ = self.file.read_to_end(&mut self.rest);
        let mut lines = Vec::new();
        let mut from = 0;
        while let Some(at) = self.rest[from..].iter().position(|byte| *byte == b'\n') {
            lines.push(String::from_utf8_lossy(&self.rest[from..from + at]).into_owned());
            from += at + 1;
        }
        self.rest.drain(..from);
        if (end && !self.rest.is_empty()) || self.rest.len() > LONGEST {
            lines.push(String::from_utf8_lossy(&self.rest).into_owned());
            self.rest.clear();
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_complete_for_any_write_size() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("log");
        std::fs::write(&path, "one\ntw").expect("written");
        let mut tail = Tail::open(&path).expect("opened");
        assert_eq!(tail.lines(false), ["one"]);
        std::fs::write(&path, "one\ntwo\nthree").expect("written");
        assert_eq!(tail.lines(false), ["two"]);
        assert_eq!(tail.lines(true), ["three"]);
    }

    #[test]
    fn truncated_remark_does_not_damage_other_lines() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for end in ["short", "cut"] {
            for byte in 0.."a remark\n".len() {
                let path = dir.path().join(format!("{end}-{byte}"));
                std::fs::write(&path, "one\n").expect("written");
                let mut file = open_log(&path).expect("opened");
                let fault = format!("write.log:after:{end}={byte}");
                crate::fault::within::with(&fault, || remark(&mut file, "a remark"));
                remark(&mut file, "the next").expect("written");
                let lines = Tail::open(&path).expect("opened").lines(true);
                assert_eq!(lines[0], "one", "{fault}");
                let last = lines.last().expect("a line");
                assert!(last.ends_with("the next"), "{fault}: {lines:?}");
            }
        }
    }
}
