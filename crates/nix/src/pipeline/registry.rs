//! The modules of a configuration, and its source, for commands that change nothing.

use anyhow::Result;

use super::evaluate::as_it_is;
use crate::error::{Message as _, PipelineError};
use crate::evaluation::{FlakeSource, Request, Target, ToPin, evaluate, pin};
use crate::libnix::{Event, Libnix};
use crate::notes;
use crate::plan::{Situation, source_to_list};
use crate::record::Pin;
use crate::registry::Registered;
use crate::session::Session;

/// Evaluates a configuration and returns all its modules.
pub fn registry(session: &Session, situation: &Situation) -> Result<Vec<Registered>> {
    let pin = source_to_read(session, situation)?;
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
    notes::note_foreign_module(session, &evaluated);
    if evaluated.registry.is_empty() {
        let hint = match &pin.file {
            Some(_) => "declare modules in services.runtimeModules.modules",
            None => {
                "declare modules in services.runtimeModules.modules or in the flake's output runtimeModules"
            }
        };
        let host = pin.host;
        return Err(PipelineError::NoModules { host }.hint(hint).into());
    }
    Ok(evaluated.registry)
}

/// Returns an error if a pinned source is no longer in the store.
fn gone(session: &Session, pin: &Pin) -> Option<anyhow::Error> {
    let libnix = Libnix::open(session.settings(false, 1), |_: Event| {}).ok()?;
    notes::gone(&libnix.store, "list modules", pin)
}

/// Returns the source whose modules to list, pinned for this run.
pub fn source_to_read(session: &Session, situation: &Situation) -> Result<Pin> {
    let source = source_to_list(situation, &session.options.source, &session.here)?;
    match ToPin::of(&source) {
        Err(pin) => {
            if let Some(file) = &pin.file {
                session.reporter.note(as_it_is(file));
            }
            Ok(pin.clone())
        }
        Ok(to_pin) => {
            let libnix = Libnix::open(session.settings(false, 1), |_: Event| {})?;
            let (pin, locked) = pin(&libnix, &to_pin)?;
            notes::note_relocked(session, &pin.url, &locked, &pin.input_overrides);
            Ok(pin)
        }
    }
}
