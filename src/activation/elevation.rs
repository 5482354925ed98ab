//! Who runs what: the activator with rights, everything else as the user who called.

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

/// The programs that give rights, which keep the stdin and stdout of what they run. run0 does so where one of the three
/// is no terminal; to ask it for that (`--pipe`) ends in a usage error before systemd 257.
const PROGRAMS: [(Elevate, &str); 3] = [
    (Elevate::Sudo, "sudo"),
    (Elevate::Run0, "run0"),
    (Elevate::Doas, "doas"),
];

/// Starts the activator, through a program that gives it rights if it has none and needs them. Says by which program.
pub(super) fn start(elevate: Elevate, locations: &Locations) -> Result<(&'static str, Child)> {
    let own = std::env::current_exe().context("find our own executable")?;
    if geteuid().is_root() || !locations.is_real() {
        let mut command = Command::new(own);
        clean(&mut command, locations).arg("__activate");
        let child = spawn(&mut command).context("start the activator")?;
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
                let child = started.with_context(|| format!("start {program}"))?;
                return Ok((program, child));
            }
        }
    }
    Err(Failure::Refused
        .error("activation needs root, and none of sudo, run0 or doas is installed")
        .hint("run this as root, or install sudo, run0 or doas")
        .into())
}

/// Nothing of the caller's environment but a fixed `PATH`, on a machine of its own. Programs that give rights see to it
/// themselves.
pub(super) fn clean<'a>(command: &'a mut Command, locations: &Locations) -> &'a mut Command {
    if locations.is_real() {
        command.env_clear().env("PATH", PATH);
    }
    command
}

fn spawn(command: &mut Command) -> std::io::Result<Child> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
}

/// Called by root through sudo: everything but activation is done as the user who called, whose files and cache they
/// are.
///
/// This process becomes the activator; the client is started as that user, with this one at the other end of its stdin.
/// Returns the client's exit code.
pub fn become_user(uid: u32, arguments: Vec<OsString>) -> Result<u8> {
    let user = User::from_uid(Uid::from_raw(uid))
        .context("look up the user who called sudo")?
        .with_context(|| format!("look up the user who called sudo: there is no user {uid}"))?;
    // The terminal's Ctrl-C is the client's: whoever activates goes on.
    let _deaf = relay::deaf()?;
    let (ours, theirs) = UnixStream::pair().context("make a socket pair")?;
    let mut client = Command::new(std::env::current_exe().context("find our own executable")?)
        .arg("--activator-on-stdin")
        .arg(format!("--as-user={uid}"))
        .args(arguments)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .env("HOME", &user.dir)
        .env("USER", &user.name)
        .env("LOGNAME", &user.name)
        // sudo's are root's.
        .env_remove("XDG_CACHE_HOME")
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_STATE_HOME")
        .env_remove("XDG_RUNTIME_DIR")
        .env_remove("SUDO_UID")
        .spawn()
        .with_context(|| format!("start the client as {}", user.name))?;
    let reader = BufReader::new(ours.try_clone().context("share the client's socket")?);
    let served = relay::serve(reader, ours);
    let status = client.wait().context("wait for the client")?;
    served?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(Failure::Internal.code()))
}

/// Gives up the rights of root for those of a user, groups and all, for the whole process.
pub fn drop_rights(uid: u32) -> Result<()> {
    let user = User::from_uid(Uid::from_raw(uid))
        .context("look up a user")?
        .with_context(|| format!("look up a user: there is no user {uid}"))?;
    let name = CString::new(user.name.as_str()).context("a user's name")?;
    let drop = || -> unix::Result<()> {
        initgroups(&name, user.gid)?;
        setgid(user.gid)?;
        setuid(user.uid)
    };
    drop().with_context(|| format!("become {}", user.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The environment of a program that was started so.
    fn environment(root: &str) -> Vec<String> {
        let mut command = Command::new("env");
        command.env("OF_THE_CALLER", "1");
        let done = clean(&mut command, &Locations::new(root, root)).output();
        let text = String::from_utf8(done.expect("env").stdout).expect("a text");
        text.lines().map(String::from).collect()
    }

    #[test]
    fn nothing_of_the_callers_environment_reaches_who_has_rights() {
        assert_eq!(environment("/"), [format!("PATH={PATH}")]);
        // What a test has set is for the activator too.
        assert!(environment("/scratch").contains(&"OF_THE_CALLER=1".to_string()));
    }
}
