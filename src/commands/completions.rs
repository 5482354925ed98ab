//! `__completions`: prints the completions for a shell. The package installs them.

use anyhow::Result;

use crate::choice::Shell;
use crate::cli;
use crate::output::say;

pub fn run(shell: Shell) -> Result<()> {
    say(cli::completions(shell)?)
}
