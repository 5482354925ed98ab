//! The messages between our processes. Each message is a JSON document on one line. The first
//! message is a greeting with the versions of the program and of the protocol.

use std::io::{BufRead, Write};

use anyhow::{Context as _, Result, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::programs::VERSION;

/// The version of the protocol. During an upgrade, processes of two versions may try to talk to
/// each other.
pub const PROTOCOL: u32 = 2;

/// The maximum size of a message in bytes. The result of an evaluation with a thousand modules is
/// much smaller.
const LONGEST: usize = 64 << 20;

/// The first message that each process sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Greeting {
    /// The version of the protocol (see [`PROTOCOL`]).
    pub protocol: u32,
    /// The version of the program.
    #[serde(default)]
    pub version: String,
    /// The effective user ID of the process.
    pub user: u32,
}

impl Greeting {
    /// Returns the greeting of this process.
    pub fn ours() -> Self {
        Self {
            protocol: PROTOCOL,
            version: VERSION.into(),
            user: unix::unistd::geteuid().as_raw(),
        }
    }
}

/// Writes a message and flushes the stream.
pub fn send<T: Serialize>(to: &mut impl Write, message: &T) -> Result<()> {
    let mut line = serde_json::to_vec(message).context("cannot serialise a message")?;
    line.push(b'\n');
    to.write_all(&line).context("cannot send a message")?;
    to.flush().context("cannot send a message")
}

/// Receives a message. Returns `None` if the other side has closed the connection.
pub fn receive<T: DeserializeOwned>(from: &mut impl BufRead) -> Result<Option<T>> {
    let mut line = Vec::new();
    let mut limited = std::io::Read::take(&mut *from, LONGEST as u64 + 1);
    limited
        .read_until(b'\n', &mut line)
        .context("cannot receive a message")?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() > LONGEST {
        bail!("cannot receive a message: the message is longer than {LONGEST} bytes");
    }
    if line.last() != Some(&b'\n') {
        // The sender died while it was writing the message.
        return Ok(None);
    }
    serde_json::from_slice(&line)
        .map(Some)
        .context("cannot parse a message")
}

/// Receives the greeting and checks its protocol version.
pub fn greet(from: &mut impl BufRead) -> Result<Option<Greeting>> {
    let Some(greeting) = receive::<Greeting>(from)? else {
        return Ok(None);
    };
    if greeting.protocol != PROTOCOL || greeting.version != VERSION {
        bail!(
            "cannot talk to another process of this program: that process has version {} (protocol {}), but this one has version {VERSION} (protocol {PROTOCOL}); if the program was just upgraded, try again",
            greeting.version,
            greeting.protocol
        );
    }
    Ok(Some(greeting))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncated_message_ends_the_connection() {
        let mut whole = Vec::new();
        send(&mut whole, &Greeting::ours()).expect("sent");
        for length in 0..whole.len() {
            let got = receive::<Greeting>(&mut &whole[..length]).expect("no error");
            assert!(got.is_none(), "cut at {length}");
        }
        assert_eq!(
            receive::<Greeting>(&mut &whole[..]).expect("read"),
            Some(Greeting::ours())
        );
    }

    #[test]
    fn other_versions_are_refused() {
        for other in [
            r#"{"protocol":9,"user":0}"#.to_string(),
            format!(r#"{{"protocol":{PROTOCOL},"version":"9.9.9","user":0}}"#),
        ] {
            let error = greet(&mut format!("{other}\n").as_bytes()).expect_err("refused");
            assert!(
                error.to_string().contains("that process has version "),
                "{error}"
            );
        }
    }
}
