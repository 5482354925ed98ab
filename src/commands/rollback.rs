//! `rollback`: returns to an earlier state of this boot, or rolls back an unconfirmed change at once.

use anyhow::Result;

use super::{change, end};
use crate::activation::Errand;
use crate::clock::now;
use crate::options::ChangeOptions;
use crate::pipeline::{Waits, wait_for_others};
use crate::plan::{Action, EarlierState, Situation};
use crate::record::{Step, read_history};
use crate::session::Session;

/// Returns to the state with this number, or to the one before the last change.
pub fn run(session: &Session, number: Option<u64>, options: ChangeOptions) -> Result<()> {
    // Wait first, because only then the current and the earlier state are certain.
    wait_for_others(session, options.wait);
    let situation = Situation::read(&session.locations)?;
    let pending = situation.state.unended(situation.running.as_deref());
    if number.is_none() && pending.is_some_and(|pending| pending.step == Step::Confirming) {
        let waits = Waits {
            others: options.wait,
            settle: None,
        };
        let errand = Errand::Recover { finish: false };
        return end(session, "rollback", "rollback", errand, waits);
    }
    let history = read_history(&session.locations)?;
    let state = EarlierState::find(&history, number, &situation, now())?;
    change(session, Action::Rollback(Box::new(state)), options)
}
