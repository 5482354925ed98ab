//! `list`: lists all modules. Evaluates nothing if the configuration has baked them in.

use anyhow::Result;
use serde::Serialize;

use crate::error::neutral;
use crate::output::tell;
use crate::pipeline::registry;
use crate::plan::Situation;
use crate::registry::{Origin, description};
use crate::session::Session;

/// The result (`docs/json.md`).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct List {
    schema: u64,
    modules: Vec<Row>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: String,
    description: Option<String>,
    wanted: bool,
    active: bool,
    origin: Origin,
    file: Option<String>,
}

/// Lists the modules.
pub fn run(session: &Session) -> Result<()> {
    let situation = Situation::read(&session.locations)?;
    let registry = registry(session, &situation)?;
    let rows = registry
        .iter()
        .map(|module| Row {
            name: module.name.clone(),
            description: description(module),
            wanted: situation.state.wanted.contains(&module.name),
            active: situation.active().contains(&module.name),
            origin: module.origin,
            file: module.file.clone(),
        })
        .collect();
    let list = List {
        schema: 1,
        modules: rows,
    };
    tell(session, &list, human)
}

fn human(list: &List) -> String {
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
            (false, true) => "off, wanted",
            (false, false) => "off",
        };
        let description = row.description.as_deref().unwrap_or_default();
        let line = format!("{:width$}  {mark:3}  {description}", row.name);
        text += &neutral(line.trim_end());
        text.push('\n');
    }
    text
}
