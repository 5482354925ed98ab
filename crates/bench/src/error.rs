//! Messages of `bench`.

use runtime_module_core::error::{Message as _, MessageRow};
use runtime_module_core::messages;

messages! {
    /// Errors of `bench`: requests that cannot be measured or compared, and interrupted benchmarks.
    pub enum BenchError {
        WithAndOf {
            kind: Usage,
            text: "cannot combine --with and --of: --with extends the host, but --of selects another value",
            hint: "use only one of the two options",
            means: "`--of` may select an attribute that is not a host, so modules cannot be added to it.",
            next: "Use only one of the two options.",
        }
        ValueNotJson { value: String, reason: String } {
            kind: Usage,
            text: "cannot parse --value {value}: {reason}",
            hint: "use a JSON value; a string needs its own quotes: '\"like this\"'",
            means: "`--value` must be JSON, like the values of `set`.",
            next: "Use a JSON value. A string needs its own quotes: `'\"like this\"'`.",
        }
        OtherSystemToggled {
            kind: Usage,
            text: "cannot toggle another system: bench toggle always uses the running system and its source",
            hint: "omit --flake, --host, --override-input and --file",
            means: "`bench toggle` enables and disables modules on the running system, so it cannot use another \
                flake, file or host.",
            next: "Omit `--flake`, `--host`, `--override-input` and `--file`.",
        }
        BudgetTooSmall { budget: String, round: String } {
            kind: Usage,
            text: "cannot measure within {budget}: one round takes {round}",
            means: "The budget includes the warm-up. The rest must be long enough for one round.",
            next: "Raise `--budget`, or use `--runs`.",
        }
        NoValues { reasons: String } {
            kind: Usage,
            text: "cannot measure anything: {reasons}",
            means: "None of the requested values exists.",
            next: "Specify a module or a path that exists.",
        }
        ShortHash { hash: String } {
            kind: Usage,
            text: "cannot compare {hash}: a commit hash must have 40 digits",
            hint: "use the full hash that `git rev-parse {hash}` prints, or a flake reference",
            means: "An argument of seven or more hexadecimal digits is a commit hash, and abbreviated hashes are not \
                supported.",
            next: "Use the full hash that `git rev-parse` prints.",
        }
        NoGitRepository { commit: String, flake: String } {
            kind: Usage,
            text: "cannot compare commit {commit}: {flake} is not a git repository",
            hint: "specify the git repository: --flake git+file:///…",
            means: "A commit hash needs a git repository, but the default flake is not in one.",
            next: "Specify the git repository with `--flake`, or compare two flake references.",
        }
        NoCommonSeries { old: String, new: String } {
            kind: Usage,
            text: "cannot compare '{old}' with '{new}': the results have no series in common",
            hint: "compare two runs of the same benchmark",
            means: "The two results are from different benchmarks, or measure different values.",
            next: "Compare two runs of the same benchmark.",
        }
        OtherSchema { path: String, found: String, schema: u64 } {
            kind: Usage,
            text: "cannot read {path}: the file has schema {found}, but this version reads schema {schema}",
            hint: "measure again with this version, or read the file with the version that wrote it",
            means: "Another version of runtime-module wrote the result file.",
            next: "Measure again with this version, or use the version that wrote the file.",
        }
        NotAResult { path: String, reason: String } {
            kind: Usage,
            text: "cannot read {path}: the file is not a benchmark result: {reason}",
            hint: "create a result file with `runtime-module bench eval --export-json FILE`",
            means: "The file has another format, or it is truncated.",
            next: "Create a result file with `runtime-module bench eval --export-json FILE`.",
        }
        Unreadable { path: String, reason: String } {
            kind: Usage,
            text: "cannot read {path}: {reason}",
            hint: "create a result file with `runtime-module bench eval --export-json FILE`",
            means: "The file does not exist or cannot be read.",
            next: "Create a result file with `runtime-module bench eval --export-json FILE`.",
        }
        ExportIsFolder { path: String } {
            kind: Usage,
            text: "cannot write {path}: the path is a directory",
            hint: "specify a file; nothing was measured",
            means: "A result file cannot replace a directory.",
            next: "Specify a file. Nothing was measured.",
        }
        Unwritable { path: String, reason: String } {
            kind: Usage,
            text: "cannot write {path}: {reason}",
            hint: "specify a file in an existing directory that you can write to; nothing was measured",
            means: "The result file cannot be written there. The program checks this before it measures, so nothing was \
                measured.",
            next: "Specify a file in an existing directory that you can write to.",
        }
        NotPinned { file: String } {
            kind: Refused,
            text: "cannot benchmark {file}: a configuration in a file is not pinned, \
                so it could change between samples",
            hint: "add a flake.nix next to the file, and use that flake with --flake",
            means: "A benchmark needs a source that does not change.",
            next: "Add a `flake.nix` next to the file, and use that flake with `--flake`.",
        }
        PartlyEnabled { modules: String } {
            kind: Refused,
            text: "cannot toggle {modules}: some of these modules are enabled and some are disabled",
            hint: "specify modules that are all enabled or all disabled",
            means: "`bench toggle` either enables all of these modules first, or disables them all.",
            next: "Specify modules that are all enabled or all disabled.",
        }
        InactiveModules {
            kind: Refused,
            text: "cannot toggle modules: some requested modules are not active, \
                so the running system could not be restored",
            hint: "run `runtime-module apply` first",
            means: "After the benchmark, the same modules must be active as before.",
            next: "Run `runtime-module apply` first.",
        }
        FlakeChanged { flake: String } {
            kind: Refused,
            text: "cannot finish the benchmark: the flake {flake} changed during the run; no result was written",
            hint: "measure again without editing the flake, or use a commit: git+file:///…?rev=…",
            means: "The samples would be from different sources.",
            next: "Measure again without editing the flake, or use a commit: `git+file:///…?rev=…`.",
        }
        NotRestored { reason: String, command: String, modules: String } {
            kind: Stranded,
            text: "cannot restore the system: {reason}",
            hint: "run `runtime-module {command} {modules}`",
            hint: "run `runtime-module status` to see which modules are active",
            means: "After a benchmark, the program restores the earlier system, but this failed.",
            next: "Run `runtime-module status` to see which modules are active, then enable or disable those that \
                differ.",
        }
        NothingMeasured {
            kind: Interrupted,
            text: "interrupted; nothing was measured",
            means: "The user pressed Ctrl-C before there was a result.",
            next: "No action is needed.",
        }
        FewerSamples {
            kind: Interrupted,
            text: "interrupted; the result above has only the samples taken until then",
            means: "The user pressed Ctrl-C during `bench`. The result is valid, but less precise.",
            next: "No action is needed.",
        }
        InterruptedBeforeRestore { modules: String } {
            kind: Interrupted,
            text: "interrupted before the system was restored",
            hint: "run `runtime-module status {modules}` to see which modules are active",
            means: "The user pressed Ctrl-C during `bench toggle`.",
            next: "Run `runtime-module status` to see which modules are active, then enable or disable those that \
                differ.",
        }
    }
}

/// Returns the rows of all messages of this crate.
pub fn rows() -> impl Iterator<Item = &'static MessageRow> {
    BenchError::ROWS.iter()
}
