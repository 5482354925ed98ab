//! Messages of `bench`.

use runtime_module_core::error::{Message as _, MessageRow};
use runtime_module_core::messages;

messages! {
    /// Reasons why nothing can be measured or compared, and interrupted benchmarks.
    pub enum BenchError {
        WithAndOf {
            kind: Usage,
            text: "cannot combine --with and --of: --with extends a host, but --of names another value",
            hint: "use only one of the two options",
            means: "The two options exclude each other.",
            next: "Use only one of the two options.",
        }
        ValueNotJson { value: String, reason: String } {
            kind: Usage,
            text: "cannot parse --value {value}: {reason}",
            hint: "give a JSON value; a string needs quotes of its own: '\"like this\"'",
            means: "The value is not JSON.",
            next: "Give a JSON value. A string needs quotes of its own: `'\"like this\"'`.",
        }
        OtherSystemToggled {
            kind: Usage,
            text: "cannot toggle another system: bench toggle always uses the running system and its source",
            hint: "leave out --flake, --host, --override-input and --file",
            means: "`bench toggle` cannot measure another flake, file or host.",
            next: "Leave out `--flake`, `--host`, `--override-input` and `--file`.",
        }
        BudgetTooSmall { budget: String, round: String } {
            kind: Usage,
            text: "cannot measure within {budget}: one round takes {round}",
            means: "The budget is shorter than one round.",
            next: "Raise `--budget`, or use `--runs`.",
        }
        NoValues { reasons: String } {
            kind: Usage,
            text: "cannot measure anything: {reasons}",
            means: "None of the requested values exists.",
            next: "Name a module or a path that exists.",
        }
        ShortHash { hash: String } {
            kind: Usage,
            text: "cannot compare {hash}: a commit hash must have all 40 digits",
            hint: "give the full hash, as `git rev-parse` prints it, or a flake reference",
            means: "An abbreviated commit hash could become ambiguous.",
            next: "Give all 40 digits, as `git rev-parse` prints them.",
        }
        NoGitRepository { commit: String, flake: String } {
            kind: Usage,
            text: "cannot compare commit {commit}: {flake} is not a git repository",
            hint: "name the git repository with --flake git+file:///…",
            means: "Only a git repository has commits.",
            next: "Name the git repository with `--flake`, or name two flakes.",
        }
        NoCommonSeries { old: String, new: String } {
            kind: Usage,
            text: "cannot compare '{old}' with '{new}': they have no series in common",
            hint: "compare two runs of the same benchmark",
            means: "The two results are from different benchmarks.",
            next: "Compare two runs of the same benchmark.",
        }
        OtherSchema { path: String, found: String, schema: u64 } {
            kind: Usage,
            text: "cannot read {path}: the file has schema {found}, but this version reads schema {schema}",
            hint: "measure again with this version, or read the file with the version that wrote it",
            means: "Another release wrote the result file.",
            next: "Measure again with this release, or use the release that wrote the file.",
        }
        NotAResult { path: String, reason: String } {
            kind: Usage,
            text: "cannot read {path}: the file is not a benchmark result: {reason}",
            hint: "make a result file with `runtime-module bench eval --export-json FILE`",
            means: "The file has another format, or it is truncated.",
            next: "Make a result file with `runtime-module bench eval --export-json FILE`.",
        }
        Unreadable { path: String, reason: String } {
            kind: Usage,
            text: "cannot read {path}: {reason}",
            hint: "make a result file with `runtime-module bench eval --export-json FILE`",
            means: "The file does not exist, or you cannot read it.",
            next: "Make a result file with `runtime-module bench eval --export-json FILE`.",
        }
        ExportIsFolder { path: String } {
            kind: Usage,
            text: "cannot write {path}: the path is a directory",
            hint: "name a file; nothing was measured",
            means: "A result file cannot replace a directory.",
            next: "Name a file. Nothing was measured.",
        }
        Unwritable { path: String, reason: String } {
            kind: Usage,
            text: "cannot write {path}: {reason}",
            hint: "name a file in an existing directory that you can write to; nothing was measured",
            means: "The directory of the file does not exist, or you cannot write to it.",
            next: "Name a file in an existing directory that you can write to. Nothing was measured.",
        }
        NotPinned { file: String } {
            kind: Refused,
            text: "cannot benchmark {file}: a configuration in a file is not pinned, \
                so it could change between samples",
            hint: "add a flake.nix next to the file, and name that flake with --flake",
            means: "A benchmark needs a source that does not change.",
            next: "Add a `flake.nix` next to the file, and name that flake with `--flake`.",
        }
        PartlyEnabled { modules: String } {
            kind: Refused,
            text: "cannot toggle {modules}: some of these modules are enabled and some are disabled",
            hint: "name modules that are all enabled or all disabled",
            means: "`bench toggle` can only enable all of the named modules or disable all of them.",
            next: "Name modules that are all enabled or all disabled.",
        }
        InactiveModules {
            kind: Refused,
            text: "cannot toggle modules: some requested modules are not active, \
                so the running system could not be restored",
            hint: "run `runtime-module apply` first",
            means: "The benchmark must leave the machine as it found it.",
            next: "Run `runtime-module apply` first.",
        }
        FlakeChanged { flake: String } {
            kind: Refused,
            text: "cannot finish the benchmark: the flake {flake} changed during the run; no result was written",
            hint: "measure again without editing the flake, or name a commit: git+file:///…?rev=…",
            means: "The samples would be from different sources.",
            next: "Run the command again without editing the flake, or name a commit.",
        }
        NotRestored { reason: String, command: String, modules: String } {
            kind: Stranded,
            text: "cannot restore the system: {reason}",
            hint: "run `runtime-module {command} {modules}`",
            hint: "run `runtime-module status` to see which modules are active",
            means: "The benchmark left the system changed.",
            next: "Run `runtime-module status` to see which modules are active, then enable or disable those that \
                differ.",
        }
        NothingMeasured {
            kind: Interrupted,
            text: "interrupted; nothing was measured",
            means: "The user pressed Ctrl-C before there was a result.",
            next: "Nothing.",
        }
        FewerSamples {
            kind: Interrupted,
            text: "interrupted; the result above has only the samples taken until then",
            means: "The user pressed Ctrl-C during `bench`.",
            next: "Nothing.",
        }
        InterruptedBeforeRestore { modules: String } {
            kind: Interrupted,
            text: "interrupted before the system was restored",
            hint: "run `runtime-module status {modules}` to see which modules are active",
            means: "The user pressed Ctrl-C during `bench toggle`.",
            next: "Run `runtime-module status` to see which modules are active.",
        }
    }
}

/// Returns the rows of all messages of this crate.
pub fn rows() -> impl Iterator<Item = &'static MessageRow> {
    BenchError::ROWS.iter()
}
