//! Checks and protects paths through the Nix daemon, if this process may not write the store's own
//! files.
//!
//! Uses version 1.19 of the daemon's protocol. Every daemon since Nix 2.0 understands this version,
//! and the version has no messages about activities (NixOS/nix, `libstore/worker-protocol.hh`,
//! `daemon.cc`). All numbers have 64 bits and are little-endian. A string consists of its length
//! and its bytes, padded with zeros to a multiple of eight.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};

use crate::error::neutral;

const HELLO: u64 = 0x6e69_7863;
const HELLO_TO_YOU: u64 = 0x6478_696f;
const VERSION: u64 = 0x113;

const IS_VALID: u64 = 1;
const ADD_TEMPORARY_ROOT: u64 = 11;
const ADD_INDIRECT_ROOT: u64 = 12;

const LAST: u64 = 0x616c_7473;
const NEXT: u64 = 0x6f6c_6d67;
const ERROR: u64 = 0x6378_7470;

/// The maximum length of a string that is accepted, in bytes.
const LONGEST: u64 = 1 << 20;

/// A connection to the daemon. The daemon keeps temporary roots until the connection is closed.
#[derive(Debug)]
pub(super) struct Daemon(Mutex<UnixStream>);

impl Daemon {
    pub(super) fn connect(socket: &Path) -> Result<Self> {
        let connect = || -> Result<UnixStream> {
            let mut stream = UnixStream::connect(socket)?;
            send(&mut stream, &[HELLO])?;
            let [hello, _version] = [number(&mut stream)?, number(&mut stream)?];
            if hello != HELLO_TO_YOU {
                bail!("the server does not speak the Nix daemon's protocol");
            }
            // The values are our version, no CPU affinity, and no reserved space.
            send(&mut stream, &[VERSION, 0, 0])?;
            messages(&mut stream)?;
            Ok(stream)
        };
        let stream = connect()
            .with_context(|| format!("cannot talk to the Nix daemon at {}", socket.display()))?;
        Ok(Self(Mutex::new(stream)))
    }

    pub(super) fn is_valid(&self, path: &str) -> Result<bool> {
        Ok(self.ask(IS_VALID, path)? != 0)
    }

    /// Protects a path until this connection is closed.
    pub(super) fn add_temporary_root(&self, path: &str) -> Result<()> {
        self.ask(ADD_TEMPORARY_ROOT, path).map(drop)
    }

    /// Registers a link as a GC root for the path that the link points to.
    pub(super) fn add_indirect_root(&self, link: &str) -> Result<()> {
        self.ask(ADD_INDIRECT_ROOT, link).map(drop)
    }

    fn ask(&self, operation: u64, text: &str) -> Result<u64> {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ask = || -> Result<u64> {
            let mut bytes = [operation, text.len() as u64]
                .map(u64::to_le_bytes)
                .concat();
            bytes.extend(text.as_bytes());
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            stream.write_all(&bytes)?;
            messages(&mut *stream)?;
            number(&mut *stream)
        };
        ask().context("cannot complete the request to the Nix daemon")
    }
}

fn send(stream: &mut impl Write, numbers: &[u64]) -> Result<()> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|one| one.to_le_bytes()).collect();
    Ok(stream.write_all(&bytes)?)
}

fn number(stream: &mut impl Read) -> Result<u64> {
    let mut bytes = [0; 8];
    stream.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn text(stream: &mut impl Read) -> Result<String> {
    let length = number(stream)?;
    if length > LONGEST {
        bail!("the daemon sent a string of {length} bytes, which is too long");
    }
    let mut bytes = vec![0; usize::try_from(length)?.next_multiple_of(8)];
    stream.read_exact(&mut bytes)?;
    bytes.truncate(usize::try_from(length)?);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads the daemon's messages before its answer. Fails if one of the messages is an error.
fn messages(stream: &mut impl Read) -> Result<()> {
    loop {
        match number(stream)? {
            LAST => return Ok(()),
            NEXT => drop(text(stream)?),
            ERROR => {
                let said = text(stream)?;
                number(stream)?;
                bail!("the daemon reported: {}", neutral(said.trim()));
            }
            other => bail!("the daemon sent the unknown message {other:#x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn texted(text: &str) -> Vec<u8> {
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    fn numbers(numbers: &[u64]) -> Vec<u8> {
        numbers.iter().flat_map(|one| one.to_le_bytes()).collect()
    }

    #[test]
    fn answers_come_after_messages() {
        let said = [numbers(&[NEXT]), texted("a line"), numbers(&[LAST])].concat();
        messages(&mut said.as_slice()).expect("no error");
        let said = [
            numbers(&[ERROR]),
            texted("no \u{1b}[1mspace"),
            numbers(&[1]),
        ]
        .concat();
        let error = messages(&mut said.as_slice())
            .expect_err("an error")
            .to_string();
        assert_eq!(error, "the daemon reported: no ␛[1mspace");
        for said in [
            numbers(&[7]),
            numbers(&[NEXT, LONGEST + 1]),
            numbers(&[NEXT, 9]),
        ] {
            messages(&mut said.as_slice()).expect_err("not a message");
        }
    }

    #[test]
    fn daemon_receives_each_request() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let socket = dir.path().join("socket");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let server = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().expect("a client");
            let mut heard = vec![0; 8];
            client.read_exact(&mut heard).expect("a greeting");
            client
                .write_all(&numbers(&[HELLO_TO_YOU, 0x125]))
                .expect("sent");
            heard.resize(32, 0);
            client.read_exact(&mut heard[8..]).expect("a version");
            client.write_all(&numbers(&[LAST])).expect("sent");
            let mut request = vec![0; 8 + texted("/nix/store/a").len()];
            client.read_exact(&mut request).expect("a request");
            client.write_all(&numbers(&[LAST, 1])).expect("sent");
            (heard, request)
        });
        let daemon = Daemon::connect(&socket).expect("connected");
        assert!(daemon.is_valid("/nix/store/a").expect("answered"));
        let (heard, request) = server.join().expect("no panic");
        assert_eq!(heard, numbers(&[HELLO, VERSION, 0, 0]));
        assert_eq!(
            request,
            [numbers(&[IS_VALID]), texted("/nix/store/a")].concat()
        );
    }
}
