//! `ssh`: logs in to a guest as root.

use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result};

use super::running::running;
use crate::session::Session;
use crate::ssh_client::SshClient;

/// Becomes ssh. Returns only on failure.
pub fn run(session: &Session, name: &str, arguments: &[String]) -> Result<u8> {
    let (name, folder) = running(session, name)?;
    let client = SshClient::find(session, &name, &folder)?;
    let mut command = client.command(&[]);
    // Options of the user come before the host, and a command comes after it.
    Err(command.args(arguments).exec()).context("cannot start ssh")
}
