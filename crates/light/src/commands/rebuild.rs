//! `rebuild`: pins the newest source, and activates the requested modules from it.

use anyhow::Result;

use crate::run::Run;
use runtime_module_core::options::ChangeOptions;
use runtime_module_core::plan::Action;

pub fn run(run: Run<'_>, options: ChangeOptions) -> Result<()> {
    run.change(Action::Rebuild, options)
}
