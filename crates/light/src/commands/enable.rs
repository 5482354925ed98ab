//! `enable`: adds modules to the requested modules.

use anyhow::Result;

use crate::run::Run;
use runtime_module_core::options::ChangeOptions;
use runtime_module_core::plan::Action;

pub fn run(run: Run<'_>, names: Vec<String>, options: ChangeOptions) -> Result<()> {
    run.change(Action::Enable(names), options)
}
