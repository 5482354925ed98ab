//! A template's connection to its client.

use std::io::Read as _;
use std::os::unix::net::UnixStream;

use anyhow::{Context as _, Result};

use super::{Ask, TemplateMessage};
use crate::messages::send;

/// The connection to the client, and the bytes that were read but not yet parsed.
pub(super) struct Client {
    pub(super) socket: UnixStream,
    pub(super) heard: Vec<u8>,
}

impl Client {
    pub(super) fn say(&mut self, what: &TemplateMessage) -> Result<()> {
        send(&mut self.socket, what)
    }

    /// Waits for the next request. Returns `None` if the client has disconnected.
    pub(super) fn wait(&mut self) -> Result<Option<Ask>> {
        loop {
            if let Some(ask) = self.next()? {
                return Ok(Some(ask));
            }
            if !self.receive()? {
                return Ok(None);
            }
        }
    }

    /// Reads the available input. Returns false at the end of the input.
    pub(super) fn receive(&mut self) -> Result<bool> {
        let mut bytes = [0; 1 << 16];
        let count = self
            .socket
            .read(&mut bytes)
            .context("cannot read from the client")?;
        self.heard.extend_from_slice(&bytes[..count]);
        Ok(count > 0)
    }

    /// Returns the next complete request that was read.
    pub(super) fn next(&mut self) -> Result<Option<Ask>> {
        let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') else {
            return Ok(None);
        };
        let line: Vec<u8> = self.heard.drain(..=end).collect();
        serde_json::from_slice(&line)
            .map(Some)
            .context("cannot parse the request")
    }
}
