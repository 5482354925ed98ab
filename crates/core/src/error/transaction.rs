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
            hint: "wait until that transaction ends and try again, or use --wait 60s",
            means: "Another run of runtime-module holds the lock. The message describes that run.",
            next: "Wait until that transaction ends, or use `--wait 60s`.",
        }
        SwitchRunning { purpose: Purpose, holder: String, lock: String } {
            kind: Refused,
            text: "cannot {purpose}: another switch is running: {holder} holds {lock}",
            hint: "wait until that switch ends and try again, or use --wait 60s",
            means: "Another program, such as nixos-rebuild, is switching the system.",
            next: "Wait until that switch ends, or use `--wait 60s`.",
        }
        NotConfirmedYet { purpose: Purpose, change: String } {
            kind: Refused,
            text: "cannot {purpose}: {change} is not confirmed yet",
            hint: "run `runtime-module confirm` to keep it, or `runtime-module rollback` to undo it now",
            means: "An earlier change is active, but the program rolls it back unless it is confirmed.",
            next: "Run `runtime-module confirm` to keep it, or `runtime-module rollback` to undo it now.",
        }
        ChangeInterrupted { purpose: Purpose, change: String, step: &'static str } {
            kind: Refused,
            text: "cannot {purpose}: {change} was interrupted: {step}",
            hint: "run `runtime-module recover` to activate the previous system again, \
                or `runtime-module recover --finish` to finish the change",
            means: "An earlier change was interrupted, and must be rolled back or finished before another \
                change can begin.",
            next: "Run `runtime-module recover` to activate the previous system again, or `runtime-module recover \
                --finish` to finish the change.",
        }
        NothingToRecover { purpose: Purpose } {
            kind: Refused,
            text: "cannot {purpose}: no change was interrupted",
            hint: "run `runtime-module status` to see which modules are active",
            means: "`recover` ends an interrupted change, but no change was interrupted.",
            next: "Run `runtime-module status` to see which modules are active.",
        }
        PreviousUnknown { purpose: Purpose } {
            kind: Refused,
            text: "cannot {purpose}: the previous system is unknown",
            hint: "run `runtime-module recover --finish` to finish the change",
            means: "The interrupted change did not record a system to return to.",
            next: "Run `runtime-module recover --finish` to finish the change.",
        }
        VerificationOutdated {
            kind: Refused,
            text: "cannot record the verification: the system has changed in the meantime",
            hint: "run `runtime-module overrides verify` to verify the current overrides",
            means: "Another change was made while the overrides were being verified.",
            next: "Run `runtime-module overrides verify`. After each partial change, a verification also starts \
                automatically.",
        }
        NothingToConfirm {
            kind: Refused,
            text: "cannot confirm: there is no change to confirm",
            hint: "run `runtime-module history` to see how the last change ended",
            means: "The change has already been confirmed or rolled back, or was made without `--confirm`.",
            next: "Run `runtime-module history` to see how the last change ended.",
        }
        NoLongerActive {
            kind: Refused,
            text: "cannot confirm: an external switch activated the previous system, \
                so the change is no longer active",
            hint: "run `runtime-module rollback` to end the change",
            means: "The previous system is running again, but the change is still recorded as unconfirmed.",
            next: "Run `runtime-module rollback` to end the change, then enable the modules again if you want them.",
        }
        ConfirmationNotSaved { reason: String } {
            kind: Refused,
            text: "cannot save the confirmation: {reason}",
            hint: "free some space in /run, then run `runtime-module confirm` again before the change is rolled back",
            means: "An unsaved confirmation does not count, so the rollback timer stays armed.",
            next: "Free some space in /run, then run `runtime-module confirm` again before the change is rolled back.",
        }
        TimerNotArmed { reason: String } {
            kind: Refused,
            text: "cannot arm the rollback timer: {reason}",
            hint: "check systemd with `systemctl status`, or omit --confirm; without it, the change is not rolled \
                back automatically",
            means: "`--confirm` needs a systemd timer, and systemd did not start one.",
            next: "Check systemd with `systemctl status`, or omit `--confirm`.",
        }
        RollbackRefused { reason: String } {
            kind: Refused,
            text: "cannot roll back the unconfirmed change: {reason}",
            hint: "wait for the next automatic attempt, or run `runtime-module rollback` to see the cause",
            means: "The switch program of the previous system refused to switch, so the change is still active.",
            next: "The program retries automatically. To retry now and see the cause, run `runtime-module rollback`.",
        }
        RollbackNotSaved {
            kind: Refused,
            text: "the unconfirmed change was rolled back, but the result could not be saved",
            hint: "free some space in /run, then wait for the next automatic attempt",
            means: "The previous system is running again, but `/run` is full or cannot be written.",
            next: "Free some space in `/run`. The program retries automatically.",
        }
        InvalidName { name: String } {
            kind: Usage,
            text: "cannot run the transaction '{name}': the name is not valid",
            hint: "do not start internal commands by hand",
            means: "The name of a transaction does not have the expected format.",
            next: "Do not start internal commands by hand.",
        }
        RequestNotSent { purpose: Purpose } {
            kind: Refused,
            text: "cannot {purpose}: the activator exited before the request was sent; nothing was changed",
            hint: "try again; the activator, or the program that started it as root, was killed",
            means: "The activator waits during evaluation and build, and was killed during that time.",
            next: "Try again.",
        }
        NotStarted { log: String } {
            kind: Refused,
            text: "cannot complete the command: the activator exited before it changed anything",
            hint: "try again; {log} may contain the reason",
            means: "The activator was killed or could not start.",
            next: "Try again. The log that the message names may contain the reason.",
        }
        DiedDuringChecks {
            kind: Refused,
            text: "cannot activate: the activator died before it changed anything",
            hint: "run `runtime-module recover` to discard the attempt, then try again",
            means: "The activator was killed during its checks. The attempt is still recorded as running.",
            next: "Run `runtime-module recover` to discard the attempt, then try again.",
        }
        DiedDuringChange { step: &'static str } {
            kind: Stranded,
            text: "cannot complete the change: the activator died ({step})",
            hint: "run `runtime-module recover` to activate the previous system again, \
                or `runtime-module recover --finish` to activate the new one",
            means: "The activator was killed during the switch, the verification or the rollback, \
                so the running system may be incomplete or unverified.",
            next: "Run `runtime-module recover` to activate the previous system again, or \
                `runtime-module recover --finish` to activate the new one.",
        }
        ResultLost {
            kind: Internal,
            text: "cannot determine the result: the activator died before it reported the result",
            hint: "run `runtime-module status` to see which modules are active",
            means: "The activator was killed at the very end. The change has ended, and only its record is missing.",
            next: "Run `runtime-module status` to see which modules are active.",
        }
        LineInsteadOfResult {
            kind: Internal,
            text: "cannot read the result: the activator sent a log line instead",
            hint: "run `runtime-module status` to see which modules are active, and please report this bug",
            means: "The client and the activator disagree about their protocol.",
            next: "Run `runtime-module status` to see which modules are active, and please report this bug.",
        }
        MalformedRequest {
            kind: Internal,
            text: "cannot activate: the request is malformed",
            means: "The activator received a request with an invalid name or path. Another program may have sent it.",
            next: "If runtime-module sent the request, please report this bug.",
        }
        RolledBack { purpose: String, reason: String } {
            kind: Returned,
            text: "{purpose}: {reason}; the previous system is active again",
            means: "The switch failed, or the change made units fail, so the program activated the previous system \
                again.",
            next: "Read the output above the message, which names the script or unit. Run `journalctl -u UNIT` to see the log of a \
                unit. To keep the new system despite failed units, use `--on-failed-units keep`.",
        }
        ActiveWithFailedUnits { purpose: String, reason: String } {
            kind: UnitsFailed,
            text: "{purpose}: {reason}; the change is active",
            means: "Units failed, and `--on-failed-units` or the configuration is set to `keep`.",
            next: "Run `systemctl status UNIT` to see why, or `runtime-module rollback` to undo the change.",
        }
        RollbackFailed { purpose: String, reason: String } {
            kind: Stranded,
            text: "{purpose}: {reason}, and rolling back to the previous system failed too",
            means: "The switch failed, and the previous system could not be activated again either.",
            next: "Read the output above the message, which names the script or unit that failed. Then run `runtime-module recover`.",
        }
        StillBetweenSystems { purpose: String, reason: String } {
            kind: Stranded,
            text: "{purpose}: {reason}; the system is still only partly switched",
            means: "`recover` could not activate the requested system completely.",
            next: "Read the log that the message names, remove the cause, then run `runtime-module recover` again.",
        }
        StillNotConfirmed { purpose: String, reason: String } {
            kind: Refused,
            text: "{purpose}: {reason}; the change is still not confirmed",
            means: "The switch program refused to switch, so the change is still active. The program rolls it back \
                automatically unless it is confirmed.",
            next: "Run `runtime-module confirm` to keep the change, or remove the cause and run \
                `runtime-module rollback` again.",
        }
        Interrupted {
            kind: Interrupted,
            text: "interrupted; nothing was changed",
            means: "The user pressed Ctrl-C before anything was activated.",
            next: "No action is needed.",
        }
    }
}
