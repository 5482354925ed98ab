//! The first stage: pins the source and the modules from outside the configuration.

use anyhow::Result;

use super::{Making, extra_modules};
use crate::evaluation::{FlakeSource, Opened, ToPin, pin};
use crate::fault::{self, Point};
use crate::libnix::interruptible;
use crate::notes;
use crate::plan::{Additions, Source, pinned};
use crate::record::Pin;
use crate::timings::Phase;

/// Returns the pin of the source with its additions. Locks the parts that are not locked yet.
pub(super) fn lock(making: &Making<'_>, source: &Source, additions: &Additions) -> Result<Pin> {
    let mut pin = pin_of(making, source)?;
    if pin.file.is_none() {
        making.check_store(&pin.source)?;
    }
    pin.specialisation.clone_from(&additions.specialisation);
    pin.extras = extra_modules::take_in(making.session, &making.libnix, additions)?;
    Ok(pin)
}

fn pin_of(making: &Making<'_>, source: &Source) -> Result<Pin> {
    let Making {
        session, libnix, ..
    } = making;
    let to_pin = match ToPin::of(source) {
        Ok(to_pin) => to_pin,
        Err(pin) => {
            if session.options.accept_flake_config {
                accept(making, pin)?;
            }
            return Ok(pin.clone());
        }
    };
    let (pin, locked) = interruptible(&session.interrupts, || {
        session.reporter.phase(Phase::Lock, || {
            fault::step(Point::Lock, || pin(libnix, &to_pin))
        })
    })??;
    libnix.store.add_temp_root(&pin.source)?;
    let before = pinned(making.situation);
    notes::announce_pin(session, libnix, before.as_ref(), &pin, &locked)?;
    Ok(pin)
}

/// Opens a pinned flake only to apply its `nixConfig` settings, which also affect builds and
/// downloads in this process.
fn accept(making: &Making<'_>, pin: &Pin) -> Result<()> {
    let flake = FlakeSource::of(pin, &making.session.here);
    making
        .libnix
        .with_evaluator(|evaluator| Opened::open(evaluator, &flake).map(drop))
}
