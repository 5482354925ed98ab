//! `list`: lists all modules. Evaluates nothing if the configuration has baked them in.

use anyhow::Result;
use serde::Serialize;

use super::reach::as_it_is;
use super::{Session, foreign_module, moved, relocked};
use crate::error::{Failure, neutral};
use crate::evaluation::{FlakeSource, Request, Target, ToPin, evaluate, pin};
use crate::libnix::{Event, Libnix};
use crate::plan::{Situation, Source, is_another_file, source_to_list};
use crate::record::Pin;
use crate::registry::{Origin, Registered, description};

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
    super::tell(session, &list, human)
}

/// Returns all modules, either baked in or evaluated.
pub fn registry(session: &Session, situation: &Situation) -> Result<Vec<Registered>> {
    if let Some(baked) = situation
        .baked
        .as_ref()
        .filter(|_| !is_elsewhere(session, situation))
    {
        return Ok(baked.registry());
    }
    let pin = source(session, situation)?;
    let flake = FlakeSource::of(&pin, &session.here);
    let request = Request::of(
        session.settings(true, 1),
        flake,
        &pin.host,
        Target::Registry,
    );
    let evaluation = evaluate(
        session.evaluator(&request.settings)?,
        &request,
        &session.interrupts,
        &session.reporter,
    )
    .map_err(|error| gone(session, &pin).unwrap_or(error))?;
    let evaluated = evaluation.release()?;
    foreign_module::note(session, &evaluated);
    if evaluated.registry.is_empty() {
        return Err(Failure::Usage
            .error(format!("cannot list modules: host '{}' declares no runtime module", pin.host))
            .hint(match &pin.file {
                Some(_) => "declare modules in services.runtimeModules.modules",
                None => "declare modules in services.runtimeModules.modules or in the flake's output runtimeModules",
            })
            .into());
    }
    Ok(evaluated.registry)
}

/// Returns whether the command is about another system than the running one.
pub fn is_elsewhere(session: &Session, situation: &Situation) -> bool {
    let global = &session.global;
    global.flake.is_some() || global.host.is_some() || is_another_file(situation, global)
}

/// Makes the error for a pinned tree that no longer exists, if that is the cause.
fn gone(session: &Session, pin: &Pin) -> Option<anyhow::Error> {
    let libnix = Libnix::open(session.settings(false, 1), |_: Event| {}).ok()?;
    moved::gone(&libnix.store, "list", pin)
}

/// Returns the source to list, pinned for this run.
pub fn source(session: &Session, situation: &Situation) -> Result<Pin> {
    match source_to_list(situation, &session.global, &session.here)? {
        Source::Pinned(pin) => {
            if let Some(file) = &pin.file {
                session.reporter.note(as_it_is(file));
            }
            Ok(*pin)
        }
        Source::Reference {
            reference,
            base,
            overrides,
            host,
            of,
        } => {
            let libnix = Libnix::open(session.settings(false, 1), |_: Event| {})?;
            let to_pin = ToPin {
                reference: &reference,
                shown: &reference,
                base: &base,
                overrides: &overrides,
                host: &host,
                of: of.as_deref(),
            };
            let (pin, locked) = pin(&libnix, &to_pin)?;
            relocked::note(session, &pin.url, &locked, &pin.overrides);
            Ok(pin)
        }
    }
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
