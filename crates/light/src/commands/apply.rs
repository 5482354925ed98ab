//! `apply`: activates the requested modules again, from the same source.

use anyhow::Result;

use crate::run::Run;
use runtime_module_core::options::ChangeOptions;
use runtime_module_core::plan::Action;

pub fn run(run: Run<'_>, options: ChangeOptions) -> Result<()> {
    run.change(Action::Apply, options)
}
