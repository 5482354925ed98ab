//! Runs the client as the user who called the program through sudo.

use std::ffi::{CString, OsString};
use std::io::BufReader;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use unix::unistd::{Uid, User, initgroups, setgid, setuid};

use super::relay;
use crate::error::Failure;
use crate::programs;

/// Runs the client as the user who ran sudo, because the files and the cache belong to this
/// user.
///
/// This process becomes the relay and holds the other end of the client's stdin. Returns the
/// client's exit code.
pub fn become_user(uid: u32, arguments: Vec<OsString>) -> Result<u8> {
    let user = User::from_uid(Uid::from_raw(uid))
        .context("cannot look up the user who ran sudo")?
        .with_context(|| {
            format!("cannot look up the user who ran sudo: no user has the ID {uid}")
        })?;
    // Ctrl-C in the terminal must end only the client. The activation continues.
    let _signals = relay::catch_signals()?;
    let (ours, theirs) = UnixStream::pair().context("cannot make a socket pair")?;
    let mut client = Command::new(programs::light()?)
        .arg("--activator-on-stdin")
        .arg(format!("--as-user={uid}"))
        .args(arguments)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .env("HOME", &user.dir)
        .env("USER", &user.name)
        .env("LOGNAME", &user.name)
        // Under sudo, these variables may name root's directories.
        .env_remove("XDG_CACHE_HOME")
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_STATE_HOME")
        .env_remove("XDG_RUNTIME_DIR")
        // The option `--as-user` already names the user.
        .env_remove("SUDO_UID")
        .spawn()
        .with_context(|| format!("cannot start the client as {}", user.name))?;
    let reader = BufReader::new(
        ours.try_clone()
            .context("cannot duplicate the client's socket")?,
    );
    let served = relay::serve(reader, ours);
    let status = client.wait().context("cannot wait for the client")?;
    served?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(Failure::Internal.code()))
}

/// Drops root privileges. The whole process becomes the user, with all groups of this user.
pub fn drop_rights(uid: u32) -> Result<()> {
    let user = User::from_uid(Uid::from_raw(uid))
        .with_context(|| format!("cannot become user {uid}"))?
        .with_context(|| format!("cannot become user {uid}: no user has this ID"))?;
    let name = CString::new(user.name.as_str()).context("cannot use the name of the user")?;
    let drop = || -> unix::Result<()> {
        initgroups(&name, user.gid)?;
        setgid(user.gid)?;
        setuid(user.uid)
    };
    drop().with_context(|| format!("cannot become user {}", user.name))
}
