//! The modules of a configuration, and its source, for commands that change nothing.

use anyhow::Result;

use super::evaluate::as_it_is;
use crate::error::{Message as _, PipelineError};
use crate::evaluation::{EvaluationRequest, EvaluationSource, Target, ToPin, evaluate, pin};
use crate::host::Situation;
use crate::libnix::Event;
use crate::notes;
use crate::plan::source_to_list;
use crate::record::{Configuration, Source};
use crate::registry::Registered;
use crate::session::NixSession;

/// Evaluates a configuration and returns all its modules. Fails if it has none.
pub fn registry(session: &NixSession, situation: &Situation) -> Result<Vec<Registered>> {
    let configuration = Configuration::from(source_to_read(session, situation)?);
    let host = configuration.source.host();
    let request = EvaluationRequest::of(
        session.settings(true, 1),
        EvaluationSource::of(&configuration.source, &session.here),
        &host,
        Target::Registry,
    );
    let evaluation = evaluate(
        session.evaluator(&request.settings)?,
        &request,
        &session.interrupts,
        &session.reporter,
    )
    .map_err(|error| gone(session, &configuration).unwrap_or(error))?;
    let evaluated = evaluation.release()?;
    notes::note_foreign_module(session, &evaluated);
    if evaluated.registry.is_empty() {
        let hint = match &configuration.source {
            Source::File(_) => "declare modules in services.runtimeModules.modules",
            Source::Flake(_) => {
                "declare modules in services.runtimeModules.modules or in the flake's output runtimeModules"
            }
        };
        return Err(PipelineError::NoModules { host }.hint(hint).into());
    }
    Ok(evaluated.registry)
}

/// Returns an error if a pinned source is no longer in the store.
fn gone(session: &NixSession, configuration: &Configuration) -> Option<anyhow::Error> {
    let libnix = session.open_libnix(|_: Event| {}).ok()?;
    notes::gone(&libnix.store, "list modules", configuration)
}

/// Returns the source whose modules to list, pinned for this run.
pub fn source_to_read(session: &NixSession, situation: &Situation) -> Result<Source> {
    let source = source_to_list(situation, &session.options.source, &session.here)?;
    match ToPin::of(&source) {
        Err(known) => {
            if let Source::File(file) = known {
                session.reporter.note(as_it_is(file));
            }
            Ok(known.clone())
        }
        Ok(to_pin) => {
            let libnix = session.open_libnix(|_: Event| {})?;
            let (pin, locked) = pin(&libnix, &to_pin)?;
            notes::note_relocked(session, &pin.url, &locked, &pin.input_overrides);
            Ok(pin.into())
        }
    }
}
