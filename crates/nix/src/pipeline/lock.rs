//! The first stage: pins the source and the modules from outside the configuration.

use anyhow::Result;

use super::extra_modules;
use super::making::Making;
use crate::evaluation::{EvaluationSource, Opened, ToPin, pin};
use crate::fault::{self, Point};
use crate::libnix::interruptible;
use crate::notes;
use crate::plan::{Additions, PlannedSource, current_configuration};
use crate::record::{Configuration, Source};
use crate::timings::Phase;

/// Returns the source with its additions. Locks the parts that are not locked yet.
pub(super) fn lock(
    making: &Making<'_>,
    source: &PlannedSource,
    additions: &Additions,
) -> Result<Configuration> {
    let source = lock_source(making, source)?;
    if let Source::Flake(pin) = &source {
        making.check_store(&pin.source)?;
    }
    Ok(Configuration {
        source,
        specialisation: additions.specialisation.clone(),
        extras: extra_modules::take_in(making.session, &making.libnix, additions)?,
    })
}

fn lock_source(making: &Making<'_>, source: &PlannedSource) -> Result<Source> {
    let Making {
        session, libnix, ..
    } = making;
    let to_pin = match ToPin::of(source) {
        Ok(to_pin) => to_pin,
        Err(known) => {
            if session.options.accept_flake_config {
                accept(making, known)?;
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
    let before = current_configuration(making.situation);
    let before = before.as_ref().map(|before| &before.source);
    notes::announce_pin(session, libnix, before, &pin, &locked)?;
    Ok(pin.into())
}

/// Opens a pinned flake only to apply its `nixConfig` settings, which also affect builds and
/// downloads in this process.
fn accept(making: &Making<'_>, source: &Source) -> Result<()> {
    let source = EvaluationSource::of(source, &making.session.here);
    making
        .libnix
        .with_evaluator(|evaluator| Opened::open(evaluator, &source).map(drop))
}
