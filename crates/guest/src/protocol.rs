//! The messages between the supervisor of a guest and other processes: one JSON document per line,
//! over the socket in the guest's folder.
//!
//! A connection begins with a [`Request`]. After [`Request::Console`], both sides send bytes.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use runtime_module_core::error::Failed;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::accelerator::Choice;
use crate::milestones::Milestone;
use crate::runtime_folder::RuntimeFolder;

/// The name of the file with the [`GuestState`].
pub const STATE: &str = "state.json";

/// The time after which [`Events::next_within`] returns to its caller.
const POLL: Duration = Duration::from_millis(100);

/// The first message of a connection.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "request")]
pub enum Request {
    /// Sends all events.
    Follow {
        /// Whether the guest ends with this connection.
        owner: bool,
    },
    /// Connects to the console.
    Console {
        /// Whether to begin with the recent output.
        replay: bool,
    },
    /// Ends the guest.
    Stop {
        /// The time in milliseconds that the guest may take to shut down.
        timeout: u64,
    },
}

/// A message from the supervisor.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// The state when the connection began.
    State(Box<GuestState>),
    Note {
        text: String,
    },
    Milestone(ReachedMilestone),
    /// The guest and everything that belonged to it are gone.
    Ended {
        error: Option<Box<Failed>>,
    },
}

/// The state of a running guest.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuestState {
    /// The version of this document.
    pub schema: u64,
    /// The name of the guest.
    pub name: String,
    /// The path of its system.
    pub system: String,
    /// The label of its system.
    pub label: String,
    /// The kernel.
    pub kernel: String,
    /// How QEMU runs the guest's instructions. Null until this is known.
    pub accelerator: Option<Choice>,
    /// The number of processors.
    pub cpus: u32,
    /// The memory in MiB.
    pub memory: u64,
    /// The port on 127.0.0.1 that leads to the guest's sshd.
    pub ssh_port: u16,
    /// The process that watches the guest.
    pub supervisor: u32,
    /// The processes of the guest: QEMU and one virtiofsd for each share.
    pub processes: Vec<u32>,
    /// The time of the start, in seconds since 1970.
    pub started: u64,
    /// The milestones of the boot, in order.
    pub milestones: Vec<ReachedMilestone>,
}

/// A milestone with its time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReachedMilestone {
    /// The name of the milestone.
    pub name: Milestone,
    /// The seconds since the command that started the guest.
    pub seconds: f64,
}

impl GuestState {
    /// Reads the state of a guest.
    pub fn read(folder: &RuntimeFolder) -> Result<Self> {
        let path = folder.file(STATE);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Returns the time of a milestone, if the guest has reached it.
    pub fn reached(&self, milestone: Milestone) -> Option<f64> {
        let found = self.milestones.iter().find(|one| one.name == milestone);
        found.map(|one| one.seconds)
    }
}

/// Writes a message.
pub fn send(stream: &mut impl Write, message: &impl Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// Opens a connection to the supervisor of a guest.
pub fn connect(folder: &RuntimeFolder, request: Request) -> std::io::Result<UnixStream> {
    let mut stream = UnixStream::connect(folder.control_socket())?;
    send(&mut stream, &request)?;
    Ok(stream)
}

/// The events of a connection, in order.
#[derive(Debug)]
pub struct Events(BufReader<UnixStream>);

impl Events {
    pub fn of(stream: UnixStream) -> Self {
        Self(BufReader::new(stream))
    }

    /// Returns the next event, or `None` at the end of the connection.
    pub fn next(&mut self) -> Result<Option<Event>> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => Ok(None),
            // A supervisor that was killed resets the connection.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(error).context("cannot read from the guest's supervisor"),
            Ok(_) => serde_json::from_str(&line)
                .map(Some)
                .context("cannot understand the guest's supervisor"),
        }
    }

    /// Like [`Self::next`], but returns `None` if nothing arrives for a while, or until `deadline`.
    /// The caller can then check for interrupts.
    pub fn next_within(&mut self, deadline: Instant) -> Result<Option<Option<Event>>> {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = left.clamp(Duration::from_millis(1), POLL);
        let set = self.0.get_ref().set_read_timeout(Some(timeout));
        set.context("cannot set a timeout")?;
        match self.0.fill_buf() {
            // The supervisor writes each message at once, so the rest of the line follows.
            Ok(_) => {
                let set = self.0.get_ref().set_read_timeout(None);
                set.context("cannot set a timeout")?;
                self.next().map(Some)
            }
            Err(error)
                if [ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&error.kind()) =>
            {
                Ok(None)
            }
            Err(_) => Ok(Some(None)),
        }
    }
}
