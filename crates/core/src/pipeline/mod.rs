//! Carries out a request. The steps are: check the request, become root, plan, make the system,
//! activate the system, record the result.
//!
//! Each program has its own implementation of [`Stages`], which makes the system. `crates/nix`
//! locks, evaluates and realises (in its own `pipeline/mod.rs`). `crates/light` only finds systems
//! that are already in the store. A dry run is a plan that ends before the activation.

mod activate;
mod ask;
mod elevation;
mod end_transaction;
mod known;
mod preview;
mod system;
mod unit_lines;
mod verify;

use anyhow::Result;

use crate::activation::unfinished_transaction_error;
use crate::command::LibnixCommand;
use crate::error::Failed;
use crate::fault::{self, Point};
use crate::host::Situation;
use crate::options::StopAfter;
use crate::plan::{Action, Decision, Intent, Needs, Plan, check, decide};
use crate::registry::Registered;
use crate::report::ChangeReport;
use crate::session::Session;
use activate::{activate, is_running, verification};
use elevation::elevate;

pub use elevation::wait_for_others;
pub use end_transaction::{Waits, end_transaction};
pub use known::{examined, known};
pub use preview::Preview;
pub use system::{BaseReport, BuildOrder, CacheReport, Preflight, System, SystemStore};
pub use verify::{Verdict, verify};

/// The operations that may need libnix. If a command needs libnix, the program that does not link
/// libnix hands the whole command over to the other program.
pub trait Stages {
    /// Makes sure that [`Self::make`] can carry out this request. Called before a password prompt.
    fn prepare(&self, intent: &Intent, needs: &Needs) -> Result<()>;

    /// Makes the system of a plan, up to the last stage of the plan. Returns the system and the
    /// plan, which now contains the values of the expressions in the intent.
    fn make(
        &self,
        intent: &Intent,
        situation: &Situation,
        plan: Box<Plan>,
    ) -> Result<(Box<Plan>, System)>;

    /// Returns the modules that the selected source declares. Called only if no baked list of
    /// modules applies to this source.
    fn registry(&self, situation: &Situation) -> Result<Vec<Registered>>;

    /// Runs a command that needs libnix.
    fn run(&self, command: LibnixCommand) -> Result<()>;

    /// Evaluates and builds modules after a successful change. Prints failures, which do not affect
    /// the result of the change.
    fn prefetch(&self, names: &[String]);
}

/// The result of a request, and the system that was made for it.
pub struct ChangeResult {
    pub report: ChangeReport,
    /// The system whose evaluation result should be kept in the cache; `None` if no system was
    /// realised, for example in a dry run.
    pub system: Option<System>,
}

/// Carries out a request, up to the last stage of its plan.
pub fn change(session: &Session, intent: &Intent, stages: &dyn Stages) -> Result<ChangeResult> {
    let Intent {
        action, options, ..
    } = intent;
    if options.ask {
        ask::terminal()?;
    }
    wait_for_others(session, options.wait);
    let mut situation = session.host().situation()?;
    check_prefetched(session, &situation, &options.prefetch)?;

    // If an earlier change has not ended, refuse this change before any work. A dry run only
    // reports the refusal.
    let earlier = earlier_change_has_ended(&situation, action);
    let activates = options.stop_after == StopAfter::Activate;
    if activates {
        earlier.clone()?;
    }
    // Find mistakes in the request before a password prompt.
    let needs = check(intent, &situation, &session.options.source, &session.here)?;
    if let Needs::Nothing(why) = needs {
        return Ok(ChangeResult::nothing(action, &situation, why));
    }
    stages.prepare(intent, &needs)?;
    let activator = activates.then(|| elevate(session)).transpose()?;
    if activates {
        // Read the situation again, because it may have changed while the user typed a password.
        situation = session.host().situation()?;
    }
    let decided = fault::step(Point::Plan, || {
        decide(intent, &situation, &session.options.source, &session.here)
    })?;
    let plan = match decided {
        Decision::Nothing(why) => return Ok(ChangeResult::nothing(action, &situation, why)),
        Decision::Do(plan) => plan,
    };
    for note in &plan.notes {
        session.reporter.note(note.clone());
    }

    let (plan, system) = stages.make(intent, &situation, plan)?;
    let mut report = ChangeReport::new(action, &plan, &system);
    let same_toplevel = plan.from.as_ref() == Some(&system.toplevel);
    let replaces = system.partial || system.runtime != situation.state.runtime;
    let preview = (same_toplevel && (replaces || options.ask))
        .then(|| Preview::of(session, &situation, &system))
        .transpose()?;
    if let Some(preview) = preview.clone().filter(|_| replaces) {
        report.partial(&system, verification(&situation, &plan, &system), preview);
    }
    match activator {
        None => report.refused(earlier.err()),
        Some(_) if is_running(&system, &plan, &situation) => report.unchanged(),
        Some(activator) => {
            if options.ask {
                let preview = preview.as_ref().filter(|_| !plan.force);
                ask::ask(session, &plan, &system, preview)?;
            }
            report.activated(activate(
                session, activator, &situation, &plan, &system, options, None,
            )?);
            if options.confirm.is_some_and(|time| time.is_zero()) {
                report.unlimited();
            }
        }
    }
    let system = Some(system).filter(|_| plan.realises());
    Ok(ChangeResult { report, system })
}

impl ChangeResult {
    fn nothing(action: &Action, situation: &Situation, why: String) -> Self {
        Self {
            report: ChangeReport::nothing(action, situation, why),
            system: None,
        }
    }
}

/// Fails if `--prefetch` names an unknown module.
fn check_prefetched(session: &Session, situation: &Situation, names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let intent = Intent::new(Action::Enable(names.to_vec()), Default::default());
    check(&intent, situation, &session.options.source, &session.here).map(drop)
}

/// Fails if an earlier change has begun but not ended. The activator checks whether another change
/// is still running.
fn earlier_change_has_ended(situation: &Situation, action: &Action) -> Result<(), Failed> {
    let pending = situation
        .state
        .unfinished_transaction(situation.running.as_deref());
    match pending.filter(|_| situation.under_way.is_none()) {
        Some(pending) => Err(unfinished_transaction_error(&action.words(), pending)),
        None => Ok(()),
    }
}
