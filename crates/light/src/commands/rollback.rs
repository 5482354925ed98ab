//! `rollback`: returns to an earlier state of this boot, or rolls back an unconfirmed change
//! immediately.

use anyhow::Result;

use crate::run::{Run, end};
use runtime_module_core::activation::ActivatorTask;
use runtime_module_core::clock::now;
use runtime_module_core::options::ChangeOptions;
use runtime_module_core::pipeline::{Waits, wait_for_others};
use runtime_module_core::plan::{Action, EarlierState};
use runtime_module_core::record::Step;

/// Returns to the state with this number, or to the state before the last change.
pub fn run(run: Run<'_>, number: Option<u64>, options: ChangeOptions) -> Result<()> {
    // Wait first: a running change can still alter the current and the earlier states.
    let session = run.session;
    wait_for_others(session, options.wait);
    let situation = session.host().situation()?;
    let pending = situation
        .state
        .unfinished_transaction(situation.running.as_deref());
    if number.is_none() && pending.is_some_and(|pending| pending.step == Step::Confirming) {
        let waits = Waits {
            others: options.wait,
            settle: None,
        };
        let task = ActivatorTask::Recover { finish: false };
        return end(session, "rollback", "rollback", task, waits);
    }
    let history = session.host().history()?;
    let state = EarlierState::find(&history, number, &situation, now())?;
    run.change(Action::Rollback(Box::new(state)), options)
}
