//! Messages of `check`.

use crate::messages;

messages! {
    /// Reasons why modules cannot be checked, and failed checks.
    pub enum CheckError {
        NotGit { revision: String, flake: String } {
            kind: Usage,
            text: "cannot use --changed-since {revision}: {flake} is not a git repository",
            hint: "specify a git repository: --flake git+file:///…",
            means: "`--changed-since` compares the flake with a git commit, so the flake must be in a git repository.",
            next: "Specify a flake in a git repository, or omit `--changed-since` to check all modules.",
        }
        NotARevision { revision: String } {
            kind: Usage,
            text: "cannot use --changed-since {revision}: {revision} is not a branch, tag or full commit hash",
            hint: "use the full hash that `git rev-parse '{revision}'` prints",
            means: "Nix finds branches, tags and full commit hashes. Only git itself resolves `HEAD~1` and \
                abbreviated hashes.",
            next: "Use the full hash that `git rev-parse` prints.",
        }
        BaselineUnreadable { file: String, reason: String } {
            kind: Usage,
            text: "cannot read the baseline {file}: {reason}",
            hint: "create a baseline with `runtime-module check --format jsonl > FILE`",
            means: "The file of `--baseline` does not exist or cannot be read.",
            next: "Create a baseline with `runtime-module check --format jsonl > FILE`.",
        }
        NotABaseline { file: String, line: usize, reason: String } {
            kind: Usage,
            text: "cannot parse line {line} of the baseline {file}: {reason}",
            hint: "create a new baseline with `runtime-module check --format jsonl > FILE`",
            means: "The file of `--baseline` is not a baseline, or another release wrote it.",
            next: "Create a new baseline with `runtime-module check --format jsonl > FILE`.",
        }
        ModulesNotListed {
            kind: Evaluation,
            text: "cannot list the modules: the evaluator exited early, or exceeded --timeout or --max-memory",
            hint: "raise --timeout or --max-memory; if neither is set, use --low-memory",
            means: "`check` must list the modules of a host before it can check them.",
            next: "Raise `--timeout` or `--max-memory`. If neither is set, use `--low-memory`.",
        }
        OpeningTimedOut {
            kind: Evaluation,
            text: "cannot list the hosts: evaluation took longer than --timeout allows",
            hint: "raise --timeout",
            means: "`check` must open the source and list its hosts before it can check them.",
            next: "Raise `--timeout`, or find out which output of the flake is so expensive to evaluate.",
        }
        OpeningTooLarge {
            kind: Evaluation,
            text: "cannot list the hosts: evaluation used more memory than --max-memory allows",
            hint: "raise --max-memory",
            means: "`check` must open the source and list its hosts before it can check them.",
            next: "Raise `--max-memory`, or find out which output of the flake is so expensive to evaluate.",
        }
        OpeningDied { reason: String } {
            kind: Evaluation,
            text: "cannot list the hosts of the source: {reason}",
            hint: "if memory ran out, raise --max-memory; if the error persists, please report it",
            means: "The evaluator that opens the source exited or was killed.",
            next: "Raise `--max-memory` if memory ran out. If the error persists, please report it.",
        }
        TimedOut { combination: String } {
            kind: Evaluation,
            text: "cannot check {combination}: evaluation took longer than --timeout allows",
            means: "Each evaluation has its own time limit.",
            next: "Raise `--timeout`, or find out what is so expensive to evaluate.",
        }
        TooLarge { combination: String } {
            kind: Evaluation,
            text: "cannot check {combination}: evaluation used more memory than --max-memory allows",
            means: "Each evaluation has its own memory limit.",
            next: "Raise `--max-memory`, or find out what is so expensive to evaluate.",
        }
        Died { combination: String, reason: String } {
            kind: Evaluation,
            text: "cannot check {combination}: {reason}",
            means: "The evaluator of a combination exited or was killed.",
            next: "Raise `--max-memory` if memory ran out. If the error persists, please report it.",
        }
        CombinationsFailed { failed: usize, checked: usize } {
            kind: Evaluation,
            text: "check failed for {failed} of {checked} combinations",
            means: "The failed combinations are shown above, each with its message.",
            next: "Correct the cause that each message describes.",
        }
        NotForked { reason: String } {
            kind: Internal,
            text: "cannot fork an evaluator: {reason}",
            means: "`check` then starts a separate evaluator, so this message is usually not shown.",
            next: "If you see this message, please report it.",
        }
    }
}
