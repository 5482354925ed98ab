//! `unset`: removes overrides of options.

use anyhow::Result;

use crate::run::Run;
use runtime_module_core::attributes::parse;
use runtime_module_core::options::ChangeOptions;
use runtime_module_core::overrides::Edit;
use runtime_module_core::plan::Action;

pub fn run(run: Run<'_>, options: &[String], change_options: ChangeOptions) -> Result<()> {
    let paths = options.iter().map(|option| parse(option));
    let paths = paths.collect::<Result<Vec<_>, _>>()?;
    run.change(Action::Override(Edit::Unset { paths }), change_options)
}
