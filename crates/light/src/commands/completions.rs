//! `__completions`: prints the completions for a shell. The package installs them.

use anyhow::Result;

use runtime_module_core::choice::Shell;
use runtime_module_core::cli;
use runtime_module_core::output::say;

pub fn run(shell: Shell) -> Result<()> {
    say(cli::completions(shell)?)
}
