//! `__man`: prints a manual page, or the names of all pages. The package installs them.

use anyhow::Result;

use runtime_module_core::cli;
use runtime_module_core::error::Failure;
use runtime_module_core::output::say;

pub fn run(page: Option<&str>) -> Result<()> {
    let Some(name) = page else {
        let names: String = cli::manual_pages()
            .iter()
            .map(|name| format!("{name}\n"))
            .collect();
        return say(names);
    };
    let page = cli::manual_page(name)?.ok_or_else(|| {
        Failure::Usage.error(format!(
            "cannot print the manual page {name:?}: there is no such page"
        ))
    })?;
    say(page)
}
