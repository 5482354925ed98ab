//! Messages of the stages that make a system.

use super::hints::REMOTE_BUILDERS;
use crate::error::Purpose;
use crate::messages;

messages! {
    /// Reasons why the system for a request cannot be made.
    pub enum PipelineError {
        NoModules { host: String } {
            kind: Usage,
            text: "cannot list modules: host '{host}' declares no runtime modules",
            means: "The host has the option `services.runtimeModules.modules`, but no module is declared in it or in \
                the flake's output `runtimeModules`.",
            next: "Declare modules in `services.runtimeModules.modules` or in the flake's output `runtimeModules`.",
        }
        NoModuleFile { module: String } {
            kind: Usage,
            text: "cannot use --module {module}: the file does not exist",
            hint: "specify the file or folder of a module, or REF#ATTR for a module of a flake",
            means: "`--module` takes a path, relative to the current directory, or a flake reference, which contains \
                a `#` or `:`.",
            next: "Specify an existing file or folder, or `REF#ATTR` for a module of a flake.",
        }
        PinnedSourceGone { purpose: Purpose, path: String, pinned: String, reference: String } {
            kind: Refused,
            text: "cannot {purpose}: the pinned source {path} is no longer in the store",
            detail: "the source was pinned as {pinned}",
            hint: "run `runtime-module rebuild --flake {reference}` to pin the flake's current source",
            hint: "or run `runtime-module reset --all` or `runtime-module rollback`, which evaluate nothing",
            means: "The pinned source was deleted, usually by the garbage collector.",
            next: "Run `rebuild --flake REF` to pin the current source. `reset --all` and `rollback` also work \
                without the pinned source.",
        }
        BaseDiffers { purpose: Purpose, base: String, evaluated: String } {
            kind: Refused,
            text: "cannot {purpose}: the base would change, because the pinned source evaluates to a different system",
            detail: "base of the running system: {base}",
            detail: "base from the pinned source: {evaluated}",
            hint: "run `runtime-module rebuild` to move the base to the current source; \
                if the system was built with --override-input, you can also run `nixos-rebuild switch` without it",
            means: "The base is the system without modules. The pinned source does not evaluate to the running base: \
                the system was built with other inputs or impurely, or the flake has changed. The change would \
                replace more than its modules.",
            next: "Run `runtime-module rebuild` to move the base to the current source. To keep the running base for \
                `reset` and use the new one only while modules are enabled, use `--allow base-differs`.",
        }
        BaseNotEvaluated { purpose: Purpose, reason: String } {
            kind: Refused,
            text: "cannot {purpose}: the base cannot be compared, \
                because the pinned source cannot be evaluated without modules",
            detail: "{reason}",
            hint: "correct the configuration, then run `runtime-module rebuild`",
            means: "The evaluation of the host without modules fails, so the program cannot tell whether the change \
                would replace the base.",
            next: "Correct the configuration, then run `nixos-rebuild` or `runtime-module rebuild`. To continue \
                anyway, use `--allow base-differs`.",
        }
        SystemsElsewhere { purpose: Purpose, store: String } {
            kind: Refused,
            text: "cannot {purpose}: the store {store} is on another machine, \
                so its systems cannot be activated here",
            hint: "use --dry-run to evaluate only",
            hint: "{REMOTE_BUILDERS}",
            means: "A system can be activated only from a store on this machine.",
            next: "Use `--dry-run` to evaluate only. To build on other machines, configure them as remote builders of \
                this machine (`nix.buildMachines`).",
        }
        OtherStoreFolder { folder: String } {
            kind: Refused,
            text: "cannot activate a system in the store at {folder}: its paths refer to the store of this machine",
            hint: "use --dry-run, or omit --store to use the store of this machine",
            means: "The paths of this store do not name the folder in which its files are, so a system in this store cannot run here.",
            next: "Use `--dry-run`, or omit `--store` to use the store of this machine.",
        }
        SourcesElsewhere { purpose: Purpose, store: String } {
            kind: Refused,
            text: "cannot {purpose}: the store {store} is on another machine, \
                so its sources cannot be evaluated here",
            hint: "{REMOTE_BUILDERS}",
            means: "The program cannot read sources in the store of another machine.",
            next: "Omit `--store`. To build on other machines, configure them as remote builders of this machine \
                (`nix.buildMachines`).",
        }
        SourceNotInStore { purpose: Purpose, path: String, store: String } {
            kind: Refused,
            text: "cannot {purpose}: the pinned source {path} is not in the store {store}",
            hint: "omit --store to use the store of the running system, \
                or run `runtime-module rebuild --flake REF --store URL` to pin REF in the other store",
            means: "`--store` selects a store that does not have the source of the running system.",
            next: "Omit `--store`, or pin a source in that store with `rebuild --flake`.",
        }
    }
}
