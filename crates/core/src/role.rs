//! The roles of processes. A process with a role does not run a user's command. It does work for
//! another process of this program, for a systemd timer or for an activation script.

use std::path::PathBuf;
use std::time::Duration;

/// The role of this process.
#[derive(Clone, Debug)]
pub enum Role {
    /// Evaluates one request from stdin.
    Evaluator,
    /// Keeps an evaluated host in memory, and forks a child for each evaluation of `check`.
    Template,
    /// Starts the activator, and passes messages between it and the client.
    Relay,
    /// Carries out the request of this transaction.
    Activator { transaction: String },
    /// Rolls back a transaction that was not confirmed in time.
    Timer {
        transaction: String,
        wait: Duration,
        /// Whether the timer was armed at the end of the switch.
        after_switch: bool,
    },
    /// Ends the effects of partial changes after an external switch.
    Watch,
    /// Ends the pending change, because an external switch to this toplevel is running.
    SwitchedElsewhere { toplevel: Option<PathBuf> },
}
