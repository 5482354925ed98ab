//! Messages about transactions: locks, confirmations, interrupted changes, the activator, and the
//! outcomes of changes.

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
        NotConfirmedYet { purpose: Purpose, change: String } {
            kind: Refused,
            text: "cannot {purpose}: {change} is not confirmed yet",
            hint: "run `runtime-module confirm` to keep it, or `runtime-module rollback` to undo it now",
            means: "A change is active, and is rolled back automatically unless it is confirmed.",
            next: "Run `runtime-module confirm` to keep it, or `runtime-module rollback` to undo it now.",
        }
        ChangeInterrupted { purpose: Purpose, change: String, step: &'static str } {
            kind: Refused,
            text: "cannot {purpose}: {change} was interrupted: {step}",
            hint: "run `runtime-module recover` to activate the previous system again, \
                or `runtime-module recover --finish` to finish the change",
            means: "A transaction was interrupted. It must be ended before another one can begin.",
            next: "Run `runtime-module recover` to activate the previous system, or `runtime-module recover --finish` \
                to finish the change.",
        }
        NothingToRecover { purpose: Purpose } {
            kind: Refused,
            text: "cannot {purpose}: no change was interrupted",
            hint: "run `runtime-module status` to see which modules are active",
            means: "There is nothing to recover.",
            next: "Run `runtime-module status` to see which modules are active.",
        }
        PreviousUnknown { purpose: Purpose } {
            kind: Refused,
            text: "cannot {purpose}: the previous system is unknown",
            hint: "run `runtime-module recover --finish` to finish the change",
            means: "There is no system to return to.",
            next: "Run `runtime-module recover --finish` to finish the change.",
        }
        NothingToConfirm {
            kind: Refused,
            text: "cannot confirm: there is no change to confirm",
            hint: "run `runtime-module history` to see how the last change ended",
            means: "The change has already been confirmed or rolled back.",
            next: "Run `runtime-module history` to see which of the two happened.",
        }
        NoLongerActive {
            kind: Refused,
            text: "cannot confirm: an external switch activated the previous system, \
                so the change is no longer active",
            hint: "run `runtime-module rollback` to end the change",
            means: "The system from before the change is running again, but this program did not activate it.",
            next: "Run `runtime-module rollback` to end the change, then enable the modules again if you want them.",
        }
        ConfirmationNotSaved { reason: String } {
            kind: Refused,
            text: "cannot save the confirmation: {reason}",
            hint: "free some space in /run, then confirm again before the change is rolled back",
            means: "A confirmation that is not saved does not count, so the rollback timer stays armed.",
            next: "Free some space in /run, then confirm again before the deadline.",
        }
        TimerNotArmed { reason: String } {
            kind: Refused,
            text: "cannot arm the rollback timer: {reason}",
            hint: "run the command without --confirm; the change is then not rolled back automatically",
            means: "`--confirm` needs a timer, and systemd did not accept one.",
            next: "Run the command without `--confirm`, or check systemd.",
        }
        RollbackRefused { reason: String } {
            kind: Refused,
            text: "cannot roll back the unconfirmed change: {reason}",
            hint: "wait for the next automatic attempt",
            means: "The switch program of the previous system refused before it changed anything, \
                so the change is still active.",
            next: "The program retries automatically; run `runtime-module rollback` to see why it is refused.",
        }
        RollbackNotSaved {
            kind: Refused,
            text: "rolled back the unconfirmed change, but cannot save the result",
            hint: "free some space in /run, then wait for the next automatic attempt",
            means: "The previous system is running again, but /run is full or broken.",
            next: "Free some space in /run; the program retries automatically.",
        }
        InvalidName { name: String } {
            kind: Usage,
            text: "cannot run the transaction '{name}': the name is not valid",
            means: "An internal command was started by hand with an invalid name.",
            next: "Do not start internal commands by hand.",
        }
        RequestNotSent { purpose: Purpose } {
            kind: Refused,
            text: "cannot {purpose}: the activator exited before the request was sent; nothing was changed",
            hint: "try again; the activator or the program that elevated it was killed",
            means: "The activator was killed during evaluation or build.",
            next: "Try again.",
        }
        NotStarted { log: String } {
            kind: Refused,
            text: "cannot activate: the activator exited before the activation started; nothing was changed",
            hint: "try again; {log} may contain the reason",
            means: "The activator was killed or could not start.",
            next: "Try again. The log named in the message may contain the reason.",
        }
        DiedDuringChecks {
            kind: Refused,
            text: "cannot activate: the activator died before it changed anything",
            hint: "run `runtime-module recover` to discard the attempt, then try again",
            means: "The activator was killed during its checks.",
            next: "Run `runtime-module recover`, then try again.",
        }
        DiedDuringChange { step: &'static str } {
            kind: Stranded,
            text: "cannot activate: the activator died when {step}",
            hint: "run `runtime-module recover` to activate the previous system again, \
                or `runtime-module recover --finish` to activate the new one",
            means: "The activator was killed during the switch, the verification or the rollback, \
                so the running system may be incomplete or unverified.",
            next: "Run `runtime-module recover` to activate the previous system again, or \
                `runtime-module recover --finish` to activate the new one.",
        }
        ResultLost {
            kind: Internal,
            text: "cannot activate: the activator died before it reported the result",
            hint: "run `runtime-module status` to see which modules are active",
            means: "The activator was killed at the very end. The change has ended, and only its record is missing.",
            next: "Run `runtime-module status` to see which modules are active.",
        }
        LineInsteadOfResult {
            kind: Internal,
            text: "cannot activate: the activator sent a log line instead of a result",
            means: "The client and the activator disagree about their protocol.",
            next: "Please report it.",
        }
        MalformedRequest {
            kind: Internal,
            text: "activate: the request is malformed",
            means: "Another program sent a request to the activator.",
            next: "If runtime-module itself sent it, please report it.",
        }
        RolledBack { purpose: String, reason: String } {
            kind: Returned,
            text: "{purpose}: {reason}; the previous system is active again",
            means: "The switch failed, or the change made units fail. The previous system was activated again.",
            next: "Read the lines above, which name the script or unit. Run `journalctl -u UNIT` to see the log of a \
                unit. To keep the new system despite failed units, use `--on-failed-units keep`.",
        }
        ActiveWithFailedUnits { purpose: String, reason: String } {
            kind: UnitsFailed,
            text: "{purpose}: {reason}; the change is active",
            means: "Units failed, and the action for failed units is `keep`.",
            next: "Run `systemctl status UNIT` to see why, or `runtime-module rollback` to undo the change.",
        }
        RollbackFailed { purpose: String, reason: String } {
            kind: Stranded,
            text: "{purpose}: {reason}, and rolling back to the previous system failed too",
            means: "The switch failed, and so did the rollback.",
            next: "Run `runtime-module recover`. The lines above name the script or unit that failed.",
        }
        StillBetweenSystems { purpose: String, reason: String } {
            kind: Stranded,
            text: "{purpose}: {reason}; the machine is still between two systems",
            means: "The interrupted change could not be ended.",
            next: "Read the log named in the message, remove the cause, then run `runtime-module recover` again.",
        }
        StillNotConfirmed { purpose: String, reason: String } {
            kind: Refused,
            text: "{purpose}: {reason}; the change is still not confirmed",
            means: "The switch program refused before it changed anything. The change is still active, and is rolled \
                back automatically unless it is confirmed.",
            next: "Run `runtime-module confirm` to keep the change, or remove the cause and run \
                `runtime-module rollback` again.",
        }
        Interrupted {
            kind: Interrupted,
            text: "interrupted; nothing was changed",
            means: "The user pressed Ctrl-C before anything was activated.",
            next: "Nothing.",
        }
    }
}
