//! Messages about transactions: locks, confirmations, interrupted changes and their outcomes.

use crate::error::Purpose;
use crate::messages;

messages! {
    /// Reasons why a transaction cannot begin or end, and its outcomes.
    pub enum TransactionError {
        LockHeld { holder: String } {
            kind: Refused,
            text: "another transaction is running: {holder}",
            hint: "wait for it to end and try again, or use --wait 60s",
            means: "Another run of runtime-module holds the lock. The message names this run.",
            next: "Wait until it ends, or use `--wait 60s`.",
        }
        SwitchRunning { purpose: Purpose, holder: String, lock: String } {
            kind: Refused,
            text: "cannot {purpose}: another switch is running: {holder} holds {lock}",
            hint: "wait for it to end (it may be nixos-rebuild) and try again, or use --wait 60s",
            means: "Another program, such as nixos-rebuild, is switching the system.",
            next: "Wait until it ends, or use `--wait 60s`.",
        }
    }
}
