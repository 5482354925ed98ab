//! `list`: lists all modules. Evaluates the source if the machine has no baked configuration, or if
//! the options select another system.

use anyhow::Result;
use schemars::JsonSchema;
use serde::Serialize;

use crate::run::Run;
use runtime_module_core::error::neutral;
use runtime_module_core::output::print_result;
use runtime_module_core::plan::is_elsewhere;
use runtime_module_core::registry::{Origin, description};

/// The document of `list`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModuleList {
    schema: u64,
    /// The modules, in the order of evaluation.
    modules: Vec<ModuleRow>,
}

/// A module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ModuleRow {
    /// The module's name.
    name: String,
    /// The declared description, or else the first line of the comment at the beginning of the
    /// module's file; null if there is neither.
    description: Option<String>,
    /// Whether the module is requested.
    wanted: bool,
    /// Whether the module is active.
    active: bool,
    /// The option or flake output that declares the module.
    origin: Origin,
    /// The module's file; null if the module is not a single file.
    file: Option<String>,
}

pub fn run(run: Run<'_>) -> Result<()> {
    let session = run.session;
    let situation = session.host().situation()?;
    let options = &session.options.source;
    let baked = situation.baked.as_ref();
    let registry = match baked.filter(|_| !is_elsewhere(&situation, options)) {
        Some(baked) => baked.registry(),
        None => run.stages.registry(&situation)?,
    };
    let rows = registry
        .iter()
        .map(|module| ModuleRow {
            name: module.name.clone(),
            description: description(module),
            wanted: situation.state.wanted.contains(&module.name),
            active: situation.active().contains(&module.name),
            origin: module.origin,
            file: module.file.clone(),
        })
        .collect();
    let list = ModuleList {
        schema: 1,
        modules: rows,
    };
    print_result(session, &list, human)
}

fn human(list: &ModuleList) -> String {
    let width = list
        .modules
        .iter()
        .map(|row| row.name.chars().count())
        .max()
        .unwrap_or(0)
        .min(40);
    let mut text = String::new();
    for row in &list.modules {
        let mark = match (row.active, row.wanted) {
            (true, _) => "on ",
            (false, true) => "enabled but not active",
            (false, false) => "off",
        };
        let description = row.description.as_deref().unwrap_or_default();
        let line = format!("{:width$}  {mark:3}  {description}", row.name);
        text += &neutral(line.trim_end());
        text.push('\n');
    }
    text
}
