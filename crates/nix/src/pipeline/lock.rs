//! The first stage: pins the source.

use anyhow::Result;

use super::system_build::SystemBuild;
use crate::evaluation::{EvaluationSource, Opened, ToPin, pin};
use crate::fault::{self, Point};
use crate::libnix::interruptible;
use crate::notes;
use crate::plan::{PlannedSource, current_configuration};
use crate::record::Source;
use crate::timings::Phase;

/// Returns the source. Locks the parts that are not locked yet.
pub(super) fn lock(build: &SystemBuild<'_>, source: &PlannedSource) -> Result<Source> {
    let SystemBuild {
        session, libnix, ..
    } = build;
    let to_pin = match ToPin::of(source) {
        Ok(to_pin) => to_pin,
        Err(known) => {
            if session.options.accept_flake_config {
                accept(build, known)?;
            }
            return Ok(known.clone());
        }
    };
    let (pin, locked) = interruptible(&session.interrupts, || {
        session.reporter.phase(Phase::Lock, || {
            fault::step(Point::Lock, || pin(libnix, &to_pin))
        })
    })??;
    libnix.store.add_temp_root(&pin.source)?;
    let before = current_configuration(build.situation);
    let before = before.as_ref().map(|before| &before.source);
    notes::announce_pin(session, libnix, before, &pin, &locked)?;
    Ok(pin.into())
}

/// Opens a pinned flake only to apply its `nixConfig` settings, which also affect builds and
/// downloads in this process.
fn accept(build: &SystemBuild<'_>, source: &Source) -> Result<()> {
    let source = EvaluationSource::of(source, &build.session.here);
    build
        .libnix
        .with_evaluator(|evaluator| Opened::open(evaluator, &source).map(drop))
}
