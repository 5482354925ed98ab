//! The connections to a supervisor, and the log of the console.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::Sender;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::happening::Happening;
use crate::protocol::{Event, send};
use crate::runtime_folder::RuntimeFolder;

/// The time that a listener may block the supervisor. After this time, it is dropped.
const SLOWEST: Duration = Duration::from_millis(500);

/// The amount of recent output that a new listener of the console gets.
const RECENT: usize = 64 << 10;

/// The size at which the log of the console is renamed and begun again.
const LONGEST_LOG: usize = 4 << 20;

/// The name of the console's log, and of its older part.
pub const LOG: &str = "console.log";
pub const OLDER_LOG: &str = "console.log.1";

/// Accepts connections and reads their requests.
pub(super) fn accept(listener: UnixListener, events: Sender<Happening>) -> Result<()> {
    let accept = move || {
        for stream in listener.incoming().flatten() {
            let events = events.clone();
            std::thread::spawn(move || {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                let mut line = String::new();
                // Read byte by byte, because bytes for the console can follow the request.
                let mut byte = [0];
                while let Ok(1) = (&stream).read(&mut byte) {
                    if byte == *b"\n" || line.len() > 1000 {
                        break;
                    }
                    line.push(char::from(byte[0]));
                }
                let _ = stream.set_read_timeout(None);
                if let Ok(request) = serde_json::from_str(&line) {
                    let _ = events.send(Happening::Connected(stream, request));
                }
            });
        }
    };
    std::thread::Builder::new()
        .name("accept".into())
        .spawn(accept)
        .context("cannot start a thread")?;
    Ok(())
}

/// Reports the end of the owner's connection.
pub(super) fn watch_owner(stream: &UnixStream, events: Sender<Happening>) {
    let Ok(stream) = stream.try_clone() else {
        let _ = events.send(Happening::OwnerLeft);
        return;
    };
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        // The owner sends nothing, so this waits for the end of the connection.
        while matches!(reader.fill_buf(), Ok(bytes) if !bytes.is_empty()) {
            let length = reader.buffer().len();
            reader.consume(length);
        }
        let _ = events.send(Happening::OwnerLeft);
    });
}

/// The processes that listen to events or to the console.
#[derive(Default)]
pub(super) struct Listeners {
    followers: Vec<UnixStream>,
    consoles: Vec<UnixStream>,
}

impl Listeners {
    /// Adds a listener of events.
    pub(super) fn follow(&mut self, mut stream: UnixStream, state: &Event) {
        let _ = stream.set_write_timeout(Some(SLOWEST));
        if send(&mut stream, state).is_ok() {
            self.followers.push(stream);
        }
    }

    /// Adds a listener of the console, whose bytes go to the console's input.
    pub(super) fn attach(
        &mut self,
        mut stream: UnixStream,
        recent: &[u8],
        input: Option<UnixStream>,
    ) {
        let _ = stream.set_write_timeout(Some(SLOWEST));
        if stream.write_all(recent).is_err() {
            return;
        }
        if let (Ok(mut from), Some(mut to)) = (stream.try_clone(), input) {
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        }
        self.consoles.push(stream);
    }

    /// Sends an event to all listeners.
    pub(super) fn tell(&mut self, event: &Event) {
        self.followers
            .retain_mut(|stream| send(stream, event).is_ok());
    }

    /// Sends output of the console to all listeners.
    pub(super) fn print(&mut self, bytes: &[u8]) {
        self.consoles
            .retain_mut(|stream| stream.write_all(bytes).is_ok());
    }
}

/// The log of the console: a file of limited size, and the recent output in memory.
pub(super) struct ConsoleLog {
    folder: RuntimeFolder,
    file: Option<File>,
    length: usize,
    recent: VecDeque<u8>,
}

impl ConsoleLog {
    pub(super) fn create(folder: &RuntimeFolder) -> Result<Self> {
        Ok(Self {
            file: Some(folder.create_log(LOG)?),
            folder: folder.clone(),
            length: 0,
            recent: VecDeque::new(),
        })
    }

    /// Adds output. If the disk is full, the output is only in memory.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.recent.extend(bytes);
        let excess = self.recent.len().saturating_sub(RECENT);
        self.recent.drain(..excess);
        self.length += bytes.len();
        if self.length > LONGEST_LOG {
            self.length = bytes.len();
            let _ = std::fs::rename(self.folder.file(LOG), self.folder.file(OLDER_LOG));
            self.file = self.folder.create_log(LOG).ok();
        }
        if let Some(file) = &mut self.file {
            let _ = file.write_all(bytes);
        }
    }

    /// Returns the recent output.
    pub(super) fn recent(&self) -> Vec<u8> {
        self.recent.iter().copied().collect()
    }
}
