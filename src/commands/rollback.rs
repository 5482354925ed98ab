//! `rollback`: returns to an earlier state of this boot, or rolls back an unconfirmed change at once.

use anyhow::Result;

use super::change;
use crate::activation::Errand;
use crate::clock::now;
use crate::options::ChangeOptions;
use crate::pipeline::{Waits, end_transaction, wait_for_others};
use crate::plan::{Action, EarlierState, Situation};
use crate::record::{Step, read_history};
use crate::report::EndReport;
use crate::session::Session;

/// Returns to the state with this number, or to the one before the last change.
pub fn run(session: &Session, number: Option<u64>, options: ChangeOptions) -> Result<()> {
    // Wait first, because only then the current and the earlier state are certain.
    wait_for_others(session, options.wait);
    let situation = Situation::read(&session.locations)?;
    let pending = situation.state.unended(situation.running.as_deref());
    if number.is_none() && pending.is_some_and(|pending| pending.step == Step::Confirming) {
        return undo_unconfirmed(session, &options);
    }
    let history = read_history(&session.locations)?;
    let state = EarlierState::find(&history, number, &situation, now())?;
    change(session, Action::Rollback(Box::new(state)), options)
}

fn undo_unconfirmed(session: &Session, options: &ChangeOptions) -> Result<()> {
    let errand = Errand::Recover { finish: false };
    let waits = Waits {
        others: options.wait,
        settle: None,
    };
    let activation = end_transaction(session, "rollback", errand, waits)?;
    let situation = Situation::read(&session.locations)?;
    EndReport::new("rollback", situation.active().to_vec(), activation).print(session)
}
