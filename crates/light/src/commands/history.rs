//! `history`: lists the transactions of this boot, and marks those that `rollback` cannot return
//! to. Evaluates nothing.

use anyhow::Result;
use runtime_module_core::clock::now;
use runtime_module_core::output::print_result;
use runtime_module_core::report::{HistoryDetail, describe_history, history_for_people};
use runtime_module_core::session::Session;

/// Lists the transactions, oldest first.
pub fn run(session: &Session) -> Result<()> {
    let situation = session.host().situation()?;
    let entries = session.host().history()?;
    let (history, now) = describe_history(entries, situation.running.as_deref(), now());
    let detail = match session.options.verbose {
        0 => HistoryDetail::Total,
        _ => HistoryDetail::Phases,
    };
    print_result(session, &history, |history| {
        history_for_people(history, now, detail)
    })
}
