//! Privileges: the activator runs as root, everything else as the calling user.

use std::ffi::{CString, OsString};
use std::io::{BufReader, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use unix::unistd::{Uid, User, geteuid, initgroups, setgid, setuid};

use super::relay;
use super::switch::PATH;
use crate::choice::Elevate;
use crate::error::Failure;
use crate::locations::Locations;
use crate::programs;

/// Elevation programs, all of which pass stdin and stdout through. run0 does so if one of stdin, stdout and stderr is
/// not a terminal. Its option `--pipe` asks for that, but is a usage error before systemd 257.
const PROGRAMS: [(Elevate, &str); 3] = [
    (Elevate::Sudo, "sudo"),
    (Elevate::Run0, "run0"),
    (Elevate::Doas, "doas"),
];

/// Starts the relay, with an elevation program if it needs one. Returns the name of the program.
pub(super) fn start(elevate: Elevate, locations: &Locations) -> Result<(&'static str, Child)> {
    let own = programs::light()?;
    if geteuid().is_root() || !locations.is_real() {
        let mut command = Command::new(own);
        clean(&mut command, locations).arg("__activate");
        let child = spawn(&mut command).context("cannot start the activator")?;
        return Ok(("the activator", child));
    }
    if elevate == Elevate::None {
        return Err(Failure::Refused
            .error("activation needs root, but --elevate none forbids elevation")
            .hint("run this with sudo, or omit --elevate none")
            .into());
    }
    let wanted = |program: Elevate| elevate == Elevate::Auto || elevate == program;
    for (_, program) in PROGRAMS.iter().filter(|(program, _)| wanted(*program)) {
        let mut command = Command::new(program);
        match spawn(command.arg("--").arg(&own).arg("__activate")) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            started => {
                let child = started.with_context(|| format!("cannot start {program}"))?;
                return Ok((program, child));
            }
        }
    }
    Err(Failure::Refused
        .error("activation needs root, and none of sudo, run0 or doas is installed")
        .hint("run this as root, or install sudo, run0 or doas")
        .into())
}

/// Clears the environment except for a fixed `PATH`, on a real machine. Elevation programs clear it themselves.
pub(super) fn clean<'a>(command: &'a mut Command, locations: &Locations) -> &'a mut Command {
    if locations.is_real() {
        command.env_clear().env("PATH", PATH);
    }
    command
}

fn spawn(command: &mut Command) -> std::io::Result<Child> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
}

/// Runs the client as the user who called sudo, because the files and the cache belong to that user.
///
/// This process becomes the relay, and holds the other end of the client's stdin. Returns the client's exit code.
pub fn become_user(uid: u32, arguments: Vec<OsString>) -> Result<u8> {
    let user = User::from_uid(Uid::from_raw(uid))
        .context("cannot look up the user who called sudo")?
        .with_context(|| {
            format!("cannot look up the user who called sudo: there is no user {uid}")
        })?;
    // Ctrl-C in the terminal is for the client. Activation continues.
    let _deaf = relay::deaf()?;
    let (ours, theirs) = UnixStream::pair().context("cannot make a socket pair")?;
    let mut client = Command::new(programs::light()?)
        .arg("--activator-on-stdin")
        .arg(format!("--as-user={uid}"))
        .args(arguments)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .env("HOME", &user.dir)
        .env("USER", &user.name)
        .env("LOGNAME", &user.name)
        // With sudo, these belong to root.
        .env_remove("XDG_CACHE_HOME")
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_STATE_HOME")
        .env_remove("XDG_RUNTIME_DIR")
        .env_remove("SUDO_UID")
        .spawn()
        .with_context(|| format!("cannot start the client as {}", user.name))?;
    let reader = BufReader::new(
        ours.try_clone()
            .context("cannot share the client's socket")?,
    );
    let served = relay::serve(reader, ours);
    let status = client.wait().context("cannot wait for the client")?;
    served?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(Failure::Internal.code()))
}

/// Drops root privileges and becomes a user, with all groups, in the whole process.
pub fn drop_rights(uid: u32) -> Result<()> {
    let user = User::from_uid(Uid::from_raw(uid))
        .context("cannot look up a user")?
        .with_context(|| format!("cannot look up a user: there is no user {uid}"))?;
    let name = CString::new(user.name.as_str()).context("invalid user name")?;
    let drop = || -> unix::Result<()> {
        initgroups(&name, user.gid)?;
        setgid(user.gid)?;
        setuid(user.uid)
    };
    drop().with_context(|| format!("cannot become user {}", user.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the environment of a program after `clean`.
    fn environment(root: &str) -> Vec<String> {
        let mut command = Command::new("env");
        command.env("OF_THE_CALLER", "1");
        let done = clean(&mut command, &Locations::new(root, root)).output();
        let text = String::from_utf8(done.expect("env").stdout).expect("a text");
        text.lines().map(String::from).collect()
    }

    #[test]
    fn callers_environment_does_not_reach_root() {
        assert_eq!(environment("/"), [format!("PATH={PATH}")]);
        // Under a test root, variables that a test sets also reach the activator.
        assert!(environment("/scratch").contains(&"OF_THE_CALLER=1".to_string()));
    }
}
