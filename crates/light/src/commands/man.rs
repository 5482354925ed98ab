//! `__man`: prints a manual page, or the names of all pages. The package installs them.

use anyhow::Result;

use runtime_module_core::cli;
use runtime_module_core::error::ProgramError;
use runtime_module_core::output::say;

pub fn run(page: Option<&str>) -> Result<()> {
    let Some(name) = page else {
        let names: String = cli::manual_pages()
            .iter()
            .map(|name| format!("{name}\n"))
            .collect();
        return say(names);
    };
    let page = name.to_string();
    say(cli::manual_page(name)?.ok_or(ProgramError::NoManualPage { page })?)
}
