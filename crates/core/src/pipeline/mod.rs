//! From a request to a running system: plan, become root, make the system, activate it, record it.
//!
//! How a system is made depends on the program ([`Stages`]): `crates/nix` locks, evaluates and realises
//! (`pipeline/mod.rs` there), `crates/light` only finds systems that are in the store already. A dry run is a plan that
//! stops before the activation.

mod activate;
mod ask;
mod elevation;
mod errand;
mod known;
mod system;

use anyhow::Result;

use crate::activation::unended;
use crate::command::LibnixCommand;
use crate::error::Failed;
use crate::fault::{self, Point};
use crate::options::StopAfter;
use crate::plan::{Action, Decision, Intent, Plan, Situation, check, decide};
use crate::registry::Registered;
use crate::report::ChangeReport;
use crate::session::Session;
use activate::{activate, is_running};
use elevation::elevate;

pub use elevation::wait_for_others;
pub use errand::{Waits, end_transaction};
pub use known::{examined, known, machine};
pub use system::{BaseReport, BuildOrder, CacheReport, Keeper, Preflight, System};

/// The operations of commands that can need libnix. The program without libnix hands the command over to the other one
/// instead.
pub trait Stages {
    /// Makes sure that [`Self::make`] can carry out this request. Called before the user is asked for a password.
    fn prepare(&self, intent: &Intent, situation: &Situation) -> Result<()>;

    /// Makes the system of a plan, as far as the plan goes. Returns the plan with the values of the intent's
    /// expressions.
    fn make(
        &self,
        intent: &Intent,
        situation: &Situation,
        plan: Box<Plan>,
    ) -> Result<(Box<Plan>, System)>;

    /// Returns the modules of a configuration, if the system does not contain their list.
    fn registry(&self, situation: &Situation) -> Result<Vec<Registered>>;

    /// Runs a command that only works with libnix.
    fn run(&self, command: LibnixCommand) -> Result<()>;

    /// Evaluates and builds modules after a successful change. Failures are printed, but do not fail the change.
    fn prefetch(&self, names: &[String]);
}

/// The result of a request, and the system that was made for it.
pub struct Changed {
    pub report: ChangeReport,
    /// The system whose result to keep in the cache. `None` if nothing was built.
    pub system: Option<System>,
}

/// Carries out a request up to its last stage.
pub fn change(session: &Session, intent: &Intent, stages: &dyn Stages) -> Result<Changed> {
    let Intent {
        action, options, ..
    } = intent;
    if options.ask {
        ask::terminal()?;
    }
    wait_for_others(session, options.wait);
    let mut situation = Situation::read(&session.locations)?;
    check_prefetched(session, &situation, &options.prefetch)?;

    // A change is refused before any work if an earlier one has not ended; a dry run reports that.
    let earlier = earlier_change_has_ended(&situation, action);
    let activates = options.stop_after == StopAfter::Activate;
    if activates {
        earlier.clone()?;
    }
    // Mistakes are found before a password prompt.
    let nothing = check(intent, &situation, &session.options.source, &session.here)?;
    if let Some(why) = nothing {
        return Ok(Changed::nothing(action, &situation, why));
    }
    stages.prepare(intent, &situation)?;
    let activator = activates.then(|| elevate(session)).transpose()?;
    if activates {
        // The machine may have changed while the user typed a password.
        situation = Situation::read(&session.locations)?;
    }
    let decided = fault::step(Point::Plan, || {
        decide(intent, &situation, &session.options.source, &session.here)
    })?;
    let plan = match decided {
        Decision::Nothing(why) => return Ok(Changed::nothing(action, &situation, why)),
        Decision::Do(plan) => plan,
    };
    for note in &plan.notes {
        session.reporter.note(note.clone());
    }

    let (plan, system) = stages.make(intent, &situation, plan)?;
    let mut report = ChangeReport::new(action, &plan, &system);
    match activator {
        None => report.refused(earlier.err()),
        Some(_) if is_running(&system, &plan, &situation) => report.unchanged(),
        Some(activator) => {
            report.activated(activate(
                session, activator, &situation, &plan, &system, options,
            )?);
            if options.confirm.is_some_and(|time| time.is_zero()) {
                report.unlimited();
            }
        }
    }
    let system = Some(system).filter(|_| plan.stop_after >= StopAfter::Realise);
    Ok(Changed { report, system })
}

impl Changed {
    fn nothing(action: &Action, situation: &Situation, why: String) -> Self {
        Self {
            report: ChangeReport::nothing(action, situation, why),
            system: None,
        }
    }
}

/// Fails for names of unknown modules in `--prefetch`.
fn check_prefetched(session: &Session, situation: &Situation, names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let intent = Intent::new(Action::Enable(names.to_vec()), Default::default());
    check(&intent, situation, &session.options.source, &session.here).map(drop)
}

/// Fails if an earlier change has begun but not ended. The activator checks whether a change is running.
fn earlier_change_has_ended(situation: &Situation, action: &Action) -> Result<(), Failed> {
    let pending = situation.state.unended(situation.running.as_deref());
    match pending.filter(|_| situation.under_way.is_none()) {
        Some(pending) => Err(unended(&action.words(), pending)),
        None => Ok(()),
    }
}
