//! The activator, which carries out a request under the lock: switches the system and writes the
//! state.
//!
//! The steps of a change are: take the lock, check that the plan is still valid, create GC roots,
//! save the plan, check for objections, arm the rollback timer (only with `--confirm`), switch,
//! verify, and save the result. The state records a system as active only after the switch to it
//! was verified. If this process is killed, the state shows which step was running.

use std::time::Duration;

use anyhow::Result;

use super::confirm::{TimerPhase, arm};
use super::log::Log;
use super::relay::catch_signals;
use super::rooting::{release, root};
use super::transaction::RunningTransaction;
use super::{Activated, ActivationMessage, ActivatorTask, Change, Request, preflight, recovery};
use super::{external_switch, runtime_files, verification, verified};
use crate::choice::Allow;
use crate::clock::now;
use crate::error::{PreflightError, describe};
use crate::fault::{self, Point, step};
use crate::host::{LocalHost, Machine, Profile};
use crate::locations::Locations;
use crate::record::{Pending, Step, hold, leave_outcome, no_foreign_switch, take_over};
use crate::store::LocalStore;

/// The free space that our own files require, in bytes.
const OWN_SPACE: u64 = 2 << 20;

/// Runs the activator for the request of a transaction.
pub fn run(locations: &Locations, name: &str) -> Result<()> {
    // In a unit, `setsid` fails, because systemd has already started the process in its own
    // session. This failure is harmless.
    let _ = unix::unistd::setsid();
    let _signals = catch_signals()?;
    let request: Request = take_over(locations, name)?;
    fault::arm(request.fault.as_deref())?;
    let mut log = Log::open(locations.log(name))?;
    let answer = match carry_out(&request, locations, &mut log) {
        Ok(activated) => ActivationMessage::Done {
            activated: Box::new(activated),
        },
        Err(error) => ActivationMessage::Refused {
            failed: describe(&error),
        },
    };
    // Write the outcome only after the lock is released, so that a reader of the outcome can begin
    // the next transaction.
    let left = step(Point::Outcome, || leave_outcome(locations, name, &answer));
    log.close();
    verification::start(locations);
    left
}

/// Carries out a request. Returns an error only if the transaction did not begin. The result
/// contains all later failures.
fn carry_out(request: &Request, locations: &Locations, log: &mut Log) -> Result<Activated> {
    let wait = Duration::from_millis(request.wait);
    let _held = step(Point::Held, || hold(locations, &request.purpose, wait))?;
    recovery::forget_earlier_boot(locations)?;
    let mut state = LocalHost::new(locations).state()?;
    external_switch::end_replaced(locations, &mut state)?;
    // Refuse a change early if the history cannot be read. `recover` and `confirm` must work even
    // then.
    if matches!(request.task, ActivatorTask::Change(_)) {
        LocalHost::new(locations).history()?;
    }
    let work = RunningTransaction::new(request, locations, log, state);
    match &request.task {
        ActivatorTask::Change(change) => begin(work, change),
        ActivatorTask::Recover { finish } => recovery::recover(work, *finish),
        ActivatorTask::Confirm => recovery::confirm(work),
        ActivatorTask::Verified(verified) => verified::record(work, verified),
    }
}

/// Carries out a change. If a step before the switch fails, restores the state and removes the new
/// GC roots.
fn begin(mut work: RunningTransaction<'_>, change: &Change) -> Result<Activated> {
    let before = work.state.clone();
    if let Err(error) = prepare(&mut work, change) {
        let reason = format!("{error:#}");
        // The state on disk may already name this transaction. If restoring the state fails, the
        // next run still finds that nothing was changed.
        let written = std::mem::replace(&mut work.state, before);
        if written.pending != work.state.pending {
            let _ = work.state.write(work.locations);
        }
        let _ = release(work.locations, &work.state);
        if change.verifies {
            work.verification_failed(reason);
        }
        return Err(error);
    }
    if !is_partial(change) || change.runtime != before.runtime {
        work.change(change);
    } else {
        work.same();
    }
    Ok(work.activated)
}

/// Carries out the steps before the switch.
fn prepare(work: &mut RunningTransaction<'_>, change: &Change) -> Result<()> {
    let (request, locations) = (work.request, work.locations);
    step(Point::Compare, || unmoved(work, change))?;
    interrupted(work)?;

    // Protect everything that the change needs, including this program, from the garbage collector.
    let store = LocalStore::of(request.store.as_deref())?;
    step(Point::Root, || {
        root(&request.purpose, change, &store, locations)
    })?;
    work.store = Some(store);

    // Save the plan before the switch, so that `recover` can end an interrupted change.
    work.state.begin(pending(request, change));
    step(Point::Begin, || work.state.write(locations))?;

    step(Point::Preflight, || objections(work, change))?;
    if let Some(seconds) = change.confirm {
        let name = &request.transaction;
        step(Point::Arm, || {
            arm(name, TimerPhase::Before, seconds, locations)
        })?;
    }
    Ok(())
}

fn pending(request: &Request, change: &Change) -> Pending {
    Pending {
        transaction: request.transaction.clone(),
        purpose: request.purpose.clone(),
        step: Step::Checking,
        from: change.from.clone(),
        to: change.to.clone(),
        base: change.base.clone(),
        configuration: change.configuration.clone(),
        wanted: change.wanted.clone(),
        overrides: change.overrides.clone(),
        generation: change.generation.clone(),
        runtime: change.runtime.clone(),
        partial: is_partial(change),
        verify_options: request.verify_options.clone(),
        verification: change.verification.clone(),
        store: request.store.clone(),
        confirm_until: change.confirm.map(|seconds| now() + seconds),
        phases: change.phases.clone(),
        ..Pending::default()
    }
}

/// Returns whether a change only replaces runtime files.
pub(super) fn is_partial(change: &Change) -> bool {
    !change.force && change.from.as_ref() == Some(&change.to)
}

/// Refuses a plan that was made for a different state or running system.
fn unmoved(work: &RunningTransaction<'_>, change: &Change) -> Result<()> {
    let (state, runs) = (&work.state, work.host().running());
    if state.revision == change.revision && runs == change.from {
        return Ok(());
    }
    let purpose = (&work.request.purpose).into();
    let error = if state.revision == change.revision {
        PreflightError::RunningSystemReplaced {
            purpose,
            system: runs.unwrap_or_else(|| "unknown".into()),
        }
    } else {
        PreflightError::StateReplaced {
            purpose,
            planned: change.revision,
            current: state.revision,
        }
    };
    Err(error.into())
}

/// Refuses the change if an earlier transaction has not ended.
fn interrupted(work: &RunningTransaction<'_>) -> Result<()> {
    let runs = work.host().running();
    match work.state.unfinished_transaction(runs.as_deref()) {
        Some(pending) => {
            Err(recovery::unfinished_transaction_error(&work.request.purpose, pending).into())
        }
        None => Ok(()),
    }
}

/// Refuses the change if there are objections, unless the user overrides them. Each overridden
/// objection becomes a warning.
fn objections(work: &mut RunningTransaction<'_>, change: &Change) -> Result<()> {
    let purpose = &work.request.purpose;
    let to = work.real(&change.to);
    preflight::whole(purpose, &to, preflight::PLAN_AGAIN)?;
    let wait = Duration::from_millis(work.request.wait);
    no_foreign_switch(work.locations, purpose, wait)?;
    let (old, new) = (&work.state.runtime, &change.runtime);
    runtime_files::check(purpose, work.locations, old, new, &to)?;
    // Compare again: an external switch may have happened since the first comparison.
    unmoved(work, change)?;
    let from = change.from.as_ref().map(|from| work.real(from));
    let machine = Machine::with_running(work.locations, from.as_deref());
    let mut findings = preflight::compare(purpose, &Profile::of(&to), &machine);
    preflight::space(purpose, &work.locations.run(), OWN_SPACE, &mut findings);
    for passed in findings.pass(&change.allow)? {
        work.warn(passed);
    }
    let inhibited = findings
        .objections
        .iter()
        .any(|objection| objection.allow == Some(Allow::Inhibitors));
    if inhibited || change.allow.contains(&Allow::PreSwitchChecks) {
        work.leave_checks_out();
    }
    findings
        .warnings
        .into_iter()
        .for_each(|text| work.warn(text));
    Ok(())
}
