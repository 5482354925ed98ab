//! Starts the relay as root. The relay starts the activator, which also runs as root. Everything
//! else runs as the calling user.

use std::io::ErrorKind;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use unix::unistd::geteuid;

use super::environment::clean;
use crate::choice::Elevate;
use crate::error::ElevationError;
use crate::locations::Locations;
use crate::programs;

/// Elevation programs. Each program passes stdin and stdout through, but run0 does so only if
/// stdin, stdout or stderr is not a terminal. The option `--pipe` of run0 would request this
/// explicitly, but systemd before 257 rejects the option.
const PROGRAMS: [(Elevate, &str); 3] = [
    (Elevate::Sudo, "sudo"),
    (Elevate::Run0, "run0"),
    (Elevate::Doas, "doas"),
];

/// Starts the relay, through an elevation program if necessary. Returns the name of the program.
pub(super) fn start(elevate: Elevate, locations: &Locations) -> Result<(&'static str, Child)> {
    let own = programs::light()?;
    if geteuid().is_root() || !locations.is_real() {
        let mut command = Command::new(own);
        clean(&mut command, locations).arg("__activate");
        let child = spawn(&mut command).context("cannot start the activator")?;
        return Ok(("the activator", child));
    }
    if elevate == Elevate::None {
        return Err(ElevationError::Forbidden.into());
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
    Err(ElevationError::NoProgram.into())
}

fn spawn(command: &mut Command) -> std::io::Result<Child> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
}
