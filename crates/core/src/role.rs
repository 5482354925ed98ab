//! The roles: what a process of ours does for another process of its own, for systemd, or for an activation script.

use std::path::PathBuf;
use std::time::Duration;

/// A role of this process.
#[derive(Clone, Debug)]
pub enum Role {
    /// Evaluates one request from stdin.
    Evaluator,
    /// Keeps an evaluated host and forks a child for each evaluation of `check`.
    Template,
    /// Passes messages between a client and the activator that it starts.
    Relay,
    /// Carries out the request of this transaction.
    Activator { transaction: String },
    /// Rolls a transaction back unless it was confirmed in time.
    Timer {
        transaction: String,
        wait: Duration,
        /// Whether the timer was armed at the end of the switch.
        after_switch: bool,
    },
    /// Records that another program is switching to this toplevel.
    SwitchedElsewhere { toplevel: Option<PathBuf> },
}
