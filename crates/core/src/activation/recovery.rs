//! Ends transactions that did not end normally: interrupted changes, changes that wait for a
//! confirmation, changes that were not confirmed in time, and changes that an external switch or a
//! reboot ended.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::commit::entry as record;
use super::confirm::{TimerPhase, disarm};
use super::external_switch;
use super::log::Log;
use super::relay::catch_signals;
use super::rooting::{release, root_ourselves};
use super::runtime_files;
use super::switch::Verdict;
use super::transaction::RunningTransaction;
use super::verification;
use super::verify::Verification;
use super::{Activated, ActivatorTask, Request, outcome};
use crate::error::{Failed, Message as _, TransactionError};
use crate::fault::Point;
use crate::host::LocalHost;
use crate::locations::Locations;
use crate::partial::RuntimeFiles;
use crate::record::{
    Entry, Outcome, Pending, State, StateEffect, Step, append_history, create_log, forget_boot,
    hold, is_transaction, no_foreign_switch,
};
use crate::store::LocalStore;

/// The maximum time that an automatic rollback waits for another transaction or switch to end.
const WAIT_LIMIT: Duration = Duration::from_secs(600);

/// The delay before the next attempt if another switch got the lock first.
const AGAIN: Duration = Duration::from_secs(1);

/// Returns the error for a change that must wait until an earlier transaction ends.
pub fn unfinished_transaction_error(purpose: &str, pending: &Pending) -> Failed {
    let purpose = purpose.into();
    let change = match pending.purpose.as_str() {
        "" => format!("transaction {}", pending.transaction),
        words => format!("`{words}`"),
    };
    let error = match pending.step {
        Step::Confirming => TransactionError::NotConfirmedYet { purpose, change },
        step => TransactionError::ChangeInterrupted {
            purpose,
            change,
            step: step.words(),
        },
    };
    error.into()
}

/// Ends an interrupted transaction. Activates the previous system or, with `finish`, the new one.
pub(super) fn recover(mut work: RunningTransaction<'_>, finish: bool) -> Result<Activated> {
    let purpose = work.request.purpose.clone();
    let Some(pending) = work.state.pending.clone() else {
        let purpose = purpose.into();
        return Err(TransactionError::NothingToRecover { purpose }.into());
    };
    // Wait first, because a running external switch may be about to activate another system.
    let wait = Duration::from_millis(work.request.wait);
    no_foreign_switch(work.locations, &purpose, wait)?;
    let runs = work.host().running();
    if work.state.unfinished_transaction(runs.as_deref()).is_none() {
        // An external switch has activated another system, so there is nothing to roll back.
        work.activated.explanation =
            format!("{purpose}: an external switch had already ended the change");
        work.settle(StateEffect::AsBefore, Outcome::Superseded);
        work.activated.outcome = Outcome::Activated;
        return Ok(work.activated);
    }
    if pending.step == Step::Checking && !finish {
        work.activated.explanation = format!("{purpose}: nothing had been changed");
        work.settle(StateEffect::AsBefore, Outcome::Unchanged);
        work.activated.outcome = Outcome::Activated;
        return Ok(work.activated);
    }
    let to = if finish {
        Some(pending.to.clone())
    } else {
        pending.from.clone()
    };
    let Some(to) = to else {
        let purpose = purpose.into();
        return Err(TransactionError::PreviousUnknown { purpose }.into());
    };
    work.store = Some(LocalStore::of(pending.store.as_deref())?);
    let other = match finish {
        true => {
            "run `runtime-module recover` to activate the previous system, or switch with nixos-rebuild"
        }
        false => {
            "run `runtime-module recover --finish` to finish the change, or switch with nixos-rebuild"
        }
    };
    super::preflight::whole(&purpose, &work.real(&to), other)?;
    if let Some(store) = &work.store {
        // A failure to create the GC root must not block the recovery.
        let _ = root_ourselves(&to, store, work.locations);
    }
    end_by(&mut work, &pending, &to, finish);
    Ok(work.activated)
}

/// Switches to `to`, which ends the pending transaction.
fn end_by(work: &mut RunningTransaction<'_>, pending: &Pending, to: &str, finish: bool) {
    work.advance(if finish {
        Step::Switching
    } else {
        Step::Returning
    });
    if pending.unchecked {
        work.leave_checks_out();
    }
    let point = if finish { Point::Switch } else { Point::Return };
    let files = files_after(work, pending, finish);
    let verification = work.switch_to(to, &files, point);
    let (purpose, reason) = (work.request.purpose.clone(), verification.why);
    if verification.verdict == Verdict::Refused && pending.step == Step::Confirming {
        // The switch changed nothing, so the change is still unconfirmed and its timer is still
        // running.
        work.advance(Step::Confirming);
        work.activated.outcome = Outcome::Unchanged;
        work.activated.explanation = TransactionError::StillNotConfirmed { purpose, reason }.text();
        work.timed();
        return;
    }
    let outcome = outcome::of_recovery(verification.verdict);
    work.activated.outcome = outcome;
    work.activated.explanation = match outcome {
        Outcome::Activated => String::new(),
        Outcome::UnitsFailed | Outcome::Superseded => format!("{purpose}: {reason}"),
        _ => TransactionError::StillBetweenSystems { purpose, reason }.text(),
    };
    match outcome {
        Outcome::Stranded => work.advance(Step::Stranded),
        _ => write_end(work, pending, to, finish),
    }
}

/// Returns the runtime files after the end of an interrupted transaction. The files before and
/// after the transaction may both be in force, in part.
fn files_after(work: &mut RunningTransaction<'_>, pending: &Pending, finish: bool) -> RuntimeFiles {
    let (before, after) = (work.state.runtime.clone(), pending.runtime.clone());
    let (other, chosen) = match finish {
        true => (before, after),
        false => (after, before),
    };
    work.in_force = other;
    if !pending.partial {
        // The switch program must see none of them.
        work.in_force.add_missing(&chosen);
    }
    chosen
}

/// Records that a switch to the system `to` ended the pending transaction.
fn write_end(work: &mut RunningTransaction<'_>, pending: &Pending, to: &str, finish: bool) {
    let outcome = work.activated.outcome;
    if outcome == Outcome::Superseded {
        work.end_replaced();
    }
    let effect = match finish && outcome != Outcome::Superseded {
        true => StateEffect::Done,
        false => StateEffect::AsBefore,
    };
    work.state.end(effect);
    let base = work.state.base_of(Some(to));
    let entry = Entry {
        transaction: work.request.transaction.clone(),
        purpose: work.request.purpose.clone(),
        modules: work.state.active.clone(),
        from: match finish {
            true => pending.from.clone(),
            false => Some(pending.to.clone()),
        },
        to: to.to_string(),
        base,
        configuration: work.state.configuration.clone(),
        overrides: work.state.overrides.clone(),
        runtime: work.state.runtime.clone(),
        verification: work.state.verification.clone(),
        failed_units: work.activated.failed_units.clone(),
        way_back: !finish,
        ..record(
            pending,
            outcome,
            &work.activated.explanation,
            work.state.revision,
        )
    };
    work.write_down(pending, &entry, effect);
    work.activated.revision = work.state.revision;
    work.timed();
}

/// Confirms the pending change.
pub(super) fn confirm(mut work: RunningTransaction<'_>) -> Result<Activated> {
    let runs = work.host().running();
    let waits = work.state.unfinished_transaction(runs.as_deref()).cloned();
    let Some(pending) = waits.filter(|pending| pending.step == Step::Confirming) else {
        return Err(TransactionError::NothingToConfirm.into());
    };
    if runs.as_ref() != Some(&pending.to) {
        return Err(TransactionError::NoLongerActive.into());
    }
    // A confirmation must be saved to be valid. If saving fails, the timer stays armed and rolls
    // the change back.
    let mut kept = work.state.clone();
    kept.end(StateEffect::Done);
    kept.write(work.locations).map_err(|error| {
        let reason = format!("{error:#}");
        TransactionError::ConfirmationNotSaved { reason }
    })?;
    // The history record keeps the outcome of the change, even if the change had problems. The
    // result of `confirm` itself is a success.
    let outcome = pending.outcome();
    work.activated.explanation = pending.explanation;
    work.activated.failed_units = pending.failed_units;
    work.settle(StateEffect::Done, outcome);
    let (log, revision) = (work.activated.log, work.activated.revision);
    Ok(Activated {
        warnings: work.activated.warnings,
        milliseconds: work.activated.milliseconds,
        ..Activated::new(log, revision)
    })
}

/// Rolls back a transaction that was not confirmed in time. The timer passes the name of the
/// transaction. `again` is true if the timer was armed at the end of the switch. Does not read the
/// wall clock, because users can change it. After an error, systemd retries.
pub fn expire(locations: &Locations, name: &str, wait: Duration, again: bool) -> Result<()> {
    if !is_transaction(name) {
        return Err(TransactionError::InvalidName { name: name.into() }.into());
    }
    let _ = unix::unistd::setsid();
    let _signals = catch_signals()?;
    std::thread::sleep(wait);
    let expired = end_unconfirmed(locations, name, again);
    verification::start(locations);
    expired
}

/// Rolls back a transaction if its timer is due.
fn end_unconfirmed(locations: &Locations, name: &str, again: bool) -> Result<()> {
    let _held = hold(locations, "roll back the unconfirmed change", WAIT_LIMIT)?;
    let state = LocalHost::new(locations).state()?;
    let runs = LocalHost::new(locations).running();
    let Some(pending) = state.unfinished_transaction(runs.as_deref()).cloned() else {
        return Ok(());
    };
    // If a second timer was armed after the switch, the first timer expires too early, so ignore
    // the first timer.
    let due = again || !pending.armed_again;
    match &pending.from {
        Some(from) if pending.transaction == name && due && pending.step != Step::Checking => {
            return_from(locations, state, &pending, from)
        }
        _ => Ok(()),
    }
}

/// Rolls back an unconfirmed change by activating the system `from`, and records the result.
fn return_from(locations: &Locations, state: State, pending: &Pending, from: &str) -> Result<()> {
    let name = &pending.transaction;
    let request = Request {
        store: pending.store.clone(),
        root: locations.root().to_path_buf(),
        transaction: format!("{name}-return"),
        purpose: pending.purpose.clone(),
        wait: 0,
        settle: 0,
        verify_options: Vec::new(),
        task: ActivatorTask::Recover { finish: false },
        fault: None,
    };
    let path: PathBuf = locations.log(&request.transaction);
    // If the disk has no space for a log, roll back without a log.
    let there = path.exists() || create_log(&path).is_ok();
    let mut log = Log::open(if there { path } else { "/dev/null".into() })?;
    let mut work = RunningTransaction::new(&request, locations, &mut log, state);
    work.store = Some(LocalStore::of(pending.store.as_deref())?);
    work.log
        .say("not confirmed in time: activating the previous system again");
    if pending.unchecked {
        work.leave_checks_out();
    }
    files_after(&mut work, pending, false);
    let verification = undo(&mut work, from);
    if verification.verdict == Verdict::Refused {
        // Nothing was changed, so restore the step that was recorded before the attempt.
        work.advance(pending.step);
        log.close();
        return Err(TransactionError::RollbackRefused {
            reason: verification.why,
        }
        .into());
    }
    let outcome = outcome::of_rollback(verification.verdict);
    let why = match verification.verdict {
        Verdict::Well => "not confirmed in time".to_string(),
        _ => format!(
            "not confirmed in time; {}",
            outcome::rollback_warning(&verification)
        ),
    };
    work.explain(outcome, &why);
    work.settle(outcome::state_effect(outcome), outcome);
    log.close();
    let waits = LocalHost::new(locations).state()?.pending;
    if outcome != Outcome::Stranded && waits.is_some_and(|pending| pending.transaction == *name) {
        return Err(TransactionError::RollbackNotSaved.into());
    }
    Ok(())
}

/// Activates the previous system as soon as no external switch is running. Tries again if another
/// switch takes the lock first.
fn undo(work: &mut RunningTransaction<'_>, from: &str) -> Verification {
    let begun = Instant::now();
    loop {
        // If the external switch does not end in time, our own switch changes nothing, because the
        // external switch holds the lock.
        let _ = no_foreign_switch(work.locations, &work.request.purpose, WAIT_LIMIT);
        // The external switch may have activated another system, which a rollback would replace.
        let runs = work.host().running();
        if work.state.unfinished_transaction(runs.as_deref()).is_none() {
            return Verification::superseded(runs.as_deref().unwrap_or("nothing"));
        }
        work.advance(Step::Returning);
        let files = work.state.runtime.clone();
        let verification = work.switch_to(from, &files, Point::Return);
        if !verification.locked_out || begun.elapsed() >= WAIT_LIMIT {
            return verification;
        }
        std::thread::sleep(AGAIN);
    }
}

/// Ends the pending change when an external switch activates the system `to`, because a later
/// rollback of the change would undo that switch.
pub fn switched_elsewhere(locations: &Locations, to: Option<&Path>) -> Result<()> {
    // If one of our transactions is running, the switch is part of that transaction.
    let host = LocalHost::new(locations);
    if !host.has_state() || host.lock_holder().is_some() {
        return Ok(());
    }
    let _held = hold(locations, "record an external switch", Duration::ZERO)?;
    let mut state = host.state()?;
    let Some(pending) = state.pending.clone() else {
        return external_switch::end_partial_changes(locations, &mut state, to);
    };
    // The switch program of a killed activator may still be running and may have switched to one of
    // the change's own systems. The user must run `recover` to end such a change.
    let ours = [Some(pending.to.as_str()), pending.from.as_deref()];
    if to.is_some_and(|to| ours.iter().flatten().any(|path| Path::new(path) == to)) {
        return match pending.step {
            Step::Confirming if to == Some(Path::new(&pending.to)) => {
                runtime_files::link_again(locations, &pending.runtime)
            }
            _ => Ok(()),
        };
    }
    external_switch::end_partial_changes(locations, &mut state, to)?;
    state.end(StateEffect::AsBefore);
    state.write(locations)?;
    disarm(
        &pending.transaction,
        &[TimerPhase::Before, TimerPhase::After],
        locations,
    );
    let why = "an external switch ended the change";
    append_history(
        locations,
        &record(&pending, Outcome::Superseded, why, state.revision),
    )?;
    release(locations, &state)
}

/// Discards the state of an earlier boot, if `/run` was kept across the reboot. The caller holds
/// the lock.
pub fn forget_earlier_boot(locations: &Locations) -> Result<()> {
    if forget_boot(locations)? {
        release(locations, &LocalHost::new(locations).state()?)?;
    }
    Ok(())
}
