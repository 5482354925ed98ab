//! Messages of the stages that make a system.

use super::REMOTE_BUILDERS;
use crate::error::Purpose;
use crate::messages;

messages! {
    /// Reasons why the system of a change is not made.
    pub enum PipelineError {
        NoModules { host: String } {
            kind: Usage,
            text: "cannot list modules: host '{host}' declares no runtime module",
            means: "The option exists, but no module is declared in it.",
            next: "Declare modules in `services.runtimeModules.modules` or in the flake's output `runtimeModules`.",
        }
        NoModuleFile { module: String } {
            kind: Usage,
            text: "cannot use --module {module}: the file does not exist",
            hint: "name a module's file or directory, or REF#ATTR for a module of another flake",
            means: "The file of the extra module does not exist.",
            next: "Name an existing file or directory, or a module of a flake: `REF#ATTR`.",
        }
        PinnedSourceGone { purpose: Purpose, path: String, pinned: String, reference: String } {
            kind: Refused,
            text: "cannot {purpose}: the pinned source {path} is no longer in the store",
            detail: "the source was pinned as {pinned}",
            hint: "run `runtime-module rebuild --flake {reference}` to pin the flake's current source",
            hint: "or run `runtime-module reset` or `rollback`, which evaluate nothing",
            means: "The pinned source was deleted, usually by the garbage collector.",
            next: "Pin a source again with `runtime-module rebuild` or `--flake`.",
        }
        BaseDiffers { purpose: Purpose, base: String, evaluated: String } {
            kind: Refused,
            text: "cannot {purpose}: the base would change, because the pinned source evaluates to a different system",
            detail: "running without modules: {base}",
            detail: "from the pinned source: {evaluated}",
            hint: "run `runtime-module rebuild` to move the base to the current source, \
                or run `nixos-rebuild switch` without --override-input",
            means: "Without modules, the pinned source does not evaluate to the running system. Either the system was \
                built with other inputs or impurely, or the flake has changed. The change would replace more than \
                its modules.",
            next: "Run `runtime-module rebuild` to move the base to the current source. To keep the running base for \
                `reset` and use the new one only while modules are enabled, use `--allow base-differs`.",
        }
        BaseNotEvaluated { purpose: Purpose, reason: String } {
            kind: Refused,
            text: "cannot {purpose}: the base cannot be compared, \
                because the pinned source cannot be evaluated without modules",
            detail: "{reason}",
            hint: "correct the configuration, then run `runtime-module rebuild`",
            means: "The evaluation of the host itself fails, so the program cannot tell whether the change would \
                replace the base.",
            next: "Repair the configuration, then run `nixos-rebuild` or `runtime-module rebuild`. To continue \
                anyway, use `--allow base-differs`.",
        }
        SystemsElsewhere { purpose: Purpose, store: String } {
            kind: Refused,
            text: "cannot {purpose}: the store {store} is on another machine, \
                so its systems cannot be activated here",
            hint: "use --dry-run; {REMOTE_BUILDERS}",
            means: "`--store` names a store that is not on this machine.",
            next: "Use `--dry-run`. Other machines can build for this one as remote builders (`nix.buildMachines`).",
        }
        OtherStoreFolder { folder: String } {
            kind: Refused,
            text: "cannot activate a system in the store at {folder}: its paths refer to this machine's store",
            hint: "use --dry-run, or omit --store to use this machine's store",
            means: "The store is in another folder, but its paths refer to the folder of this machine's store.",
            next: "Use `--dry-run`, or omit `--store` to use this machine's store.",
        }
        SourcesElsewhere { purpose: Purpose, store: String } {
            kind: Refused,
            text: "cannot {purpose}: the store {store} is on another machine, \
                so its sources cannot be evaluated here",
            hint: "{REMOTE_BUILDERS}",
            means: "The program cannot read sources in the store of another machine.",
            next: "Use other machines as remote builders for this one (`nix.buildMachines`).",
        }
        SourceNotInStore { purpose: Purpose, path: String, store: String } {
            kind: Refused,
            text: "cannot {purpose}: the pinned source {path} is not in the store {store}",
            hint: "omit --store to use the store of the running system, \
                or run `runtime-module rebuild --flake REF --store URL` to pin REF in the other store",
            means: "The running system was built from a source that the named store does not have.",
            next: "Omit `--store`, or pin a source in that store with `rebuild --flake`.",
        }
    }
}
