//! Messages of `check`.

use crate::messages;

messages! {
    /// Reasons why modules cannot be checked, and failed checks.
    pub enum CheckError {
        NotGit { revision: String, flake: String } {
            kind: Usage,
            text: "cannot use --changed-since {revision}: {flake} is not a git repository",
            hint: "name a git repository with --flake git+file:///…",
            means: "Only git can list the changes since a commit.",
            next: "Name a flake in a git repository, or check all modules.",
        }
        NotARevision { revision: String } {
            kind: Usage,
            text: "cannot use --changed-since {revision}: this is not a branch, tag or full commit hash",
            hint: "give the full hash, which `git rev-parse '{revision}'` prints",
            means: "Nix finds branches, tags and full commit hashes. Only git itself resolves `HEAD~1` and \
                abbreviated hashes.",
            next: "Give the full hash that `git rev-parse` prints.",
        }
        BaselineUnreadable { file: String, reason: String } {
            kind: Usage,
            text: "cannot read the baseline {file}: {reason}",
            hint: "make a baseline with `runtime-module check --format jsonl > FILE`",
            means: "The file of `--baseline` does not exist, or you cannot read it.",
            next: "Make a baseline with `runtime-module check --format jsonl > FILE`.",
        }
        NotABaseline { file: String, line: usize, reason: String } {
            kind: Usage,
            text: "cannot read the baseline {file}: line {line}: {reason}",
            hint: "make a new baseline with `runtime-module check --format jsonl > FILE`",
            means: "The file of `--baseline` is not a baseline, or another release wrote it.",
            next: "Make a new baseline with `runtime-module check --format jsonl > FILE`.",
        }
        ModulesNotListed {
            kind: Evaluation,
            text: "cannot list the modules: the evaluator did not start, or exceeded --timeout or --max-memory",
            means: "`check` could not list the modules within its limits, or could not start a process.",
            next: "Raise `--timeout` or `--max-memory`.",
        }
        OpeningTimedOut {
            kind: Evaluation,
            text: "cannot open the flake: opening it took longer than --timeout allows",
            means: "`check` could not list the hosts within its time limit.",
            next: "Raise `--timeout`, or check which of the flake's outputs is so expensive to evaluate.",
        }
        OpeningTooLarge {
            kind: Evaluation,
            text: "cannot open the flake: opening it used more memory than --max-memory allows",
            means: "`check` could not list the hosts within its memory limit.",
            next: "Raise `--max-memory`, or check which of the flake's outputs is so expensive to evaluate.",
        }
        OpeningDied { reason: String } {
            kind: Evaluation,
            text: "cannot open the flake: {reason}",
            means: "`check` could not list the hosts, because the evaluator exited or was killed.",
            next: "Raise `--max-memory` if memory ran out. If the error persists, please report it.",
        }
        TimedOut { combination: String } {
            kind: Evaluation,
            text: "cannot check {combination}: evaluation took longer than --timeout allows",
            means: "The evaluation of a combination exceeded its time limit.",
            next: "Raise `--timeout`.",
        }
        TooLarge { combination: String } {
            kind: Evaluation,
            text: "cannot check {combination}: evaluation used more memory than --max-memory allows",
            means: "The evaluation of a combination exceeded its memory limit.",
            next: "Raise `--max-memory`.",
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
            means: "At least one combination failed. The failed combinations are shown above.",
            next: "Read the message of each failed combination.",
        }
        NotForked { reason: String } {
            kind: Internal,
            text: "cannot fork an evaluator: {reason}",
            means: "`check` could not fork a process, so it started a separate evaluator instead.",
            next: "If you see this message, please report it.",
        }
    }
}
