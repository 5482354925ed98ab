//! `reset`: returns to the system without runtime modules.

use anyhow::Result;

use crate::run::Run;
use runtime_module_core::options::ChangeOptions;
use runtime_module_core::plan::Action;

/// Disables all modules. With `all`, also removes option overrides.
pub fn run(run: Run<'_>, all: bool, options: ChangeOptions) -> Result<()> {
    let action = match all {
        true => Action::ResetAll,
        false => Action::Reset,
    };
    run.change(action, options)
}
