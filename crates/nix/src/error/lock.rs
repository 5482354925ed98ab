//! Messages about locking and fetching a flake.

use super::hints::REMOTE_BUILDERS;
use crate::messages;

messages! {
    /// Reasons why a flake or one of its inputs cannot be locked or fetched. `action` is the failed
    /// action, in the form that follows `cannot`. `argument` is a path, quoted for a shell.
    pub enum LockError {
        Unfetched { action: String, source: String, reason: String } {
            kind: Build,
            text: "cannot {action}: {source} cannot be fetched: {reason}",
            hint: "check that the network is up, the source still exists, and this user may read it",
            means: "The flake, or one of its inputs, is not available. The lines below the message list the inputs \
                that are in the store.",
            next: "Check that the network is up, that the source exists, and that this user may read it. Use \
                `--override-input NAME path:FOLDER` to use a local copy. To enable a module offline, run `enable` \
                without `--flake`.",
        }
        NoInput { action: String, input: String, reason: String } {
            kind: Evaluation,
            text: "cannot {action}: the input {input} cannot be found: {reason}",
            hint: "correct the input in flake.nix, or replace the input for this run: --override-input {input} \
                path:FOLDER",
            means: "The flake refers to an input by a path that does not exist.",
            next: "Correct the input in `flake.nix`, or replace it for this run with `--override-input`.",
        }
        DamagedLockFile { action: String, reason: String } {
            kind: Evaluation,
            text: "cannot {action}: flake.lock is damaged: {reason}",
            hint: "restore the file from version control (`git checkout flake.lock`), or delete it to lock the inputs \
                again",
            means: "The lock file is not JSON, or refers to inputs that it does not contain.",
            next: "Restore the file from version control, or delete it to lock the inputs again.",
        }
        LockFileVersion { action: String, version: String, libnix: String } {
            kind: Evaluation,
            text: "cannot {action}: flake.lock has version {version}, which libnix {libnix} does not support",
            hint: "lock the flake with Nix {libnix}, or use a build of runtime-module that is linked to the Nix release \
                that wrote the file",
            means: "Another release of Nix wrote the lock file.",
            next: "Lock the flake again with the Nix release of libnix that the message names, or use a build of \
                runtime-module that is linked to the Nix release that wrote the lock file.",
        }
        NoFolder { flake: String, path: String } {
            kind: Evaluation,
            text: "cannot lock the flake {flake}: the folder {path} does not exist",
            means: "The flake reference is a path, and part of this path does not exist.",
            next: "Correct the path. The hint suggests a folder with a similar name, if there is one.",
        }
        DanglingLink { flake: String, path: String, target: String } {
            kind: Evaluation,
            text: "cannot lock the flake {flake}: {path} is a symbolic link to {target}, which does not exist",
            means: "The folder or its `flake.nix` is a symbolic link whose target was moved or deleted.",
            next: "Correct the symbolic link, or specify the folder itself.",
        }
        IsFile { flake: String, path: String, argument: String } {
            kind: Evaluation,
            text: "cannot lock the flake {flake}: {path} is a file, but a flake is a folder with a flake.nix",
            hint: "for a configuration that is not in a flake, use --file {argument}",
            hint: "for a flake, specify its folder",
            means: "The flake reference is the path of a file that is not a `flake.nix`.",
            next: "For a configuration that is not in a flake, use `--file`. For a flake, specify its folder.",
        }
        EmptyFolder { flake: String, path: String } {
            kind: Evaluation,
            text: "cannot lock the flake {flake}: the folder {path} is empty",
            means: "The flake reference is the path of an empty folder, for example an empty mount point.",
            next: "Specify the folder that has the `flake.nix` of your configuration.",
        }
        NoFlakeInFolder { flake: String, path: String } {
            kind: Evaluation,
            text: "cannot lock the flake {flake}: the folder {path} has no flake.nix",
            means: "Neither the folder nor a folder above it has a `flake.nix`.",
            next: "Specify the folder that has the `flake.nix`. For a configuration that is not in a flake, use \
                `--file`.",
        }
        NoGitTree { flake: String, path: String } {
            kind: Evaluation,
            text: "cannot lock the flake {flake}: {path} is not the top-level folder of a git repository",
            means: "A `git+file:` reference must point to the top-level folder of a git repository.",
            next: "Specify the top-level folder of the repository, and a folder inside it with `?dir=FOLDER`. For a folder \
                without git, omit `git+file:`.",
        }
        OthersGitTree { flake: String, tree: String, owner: String } {
            kind: Evaluation,
            text: "cannot lock the flake {flake}: the git repository {tree} belongs to {owner}, and git does not read \
                repositories of other users",
            means: "For security, git reads only repositories of the calling user and those in its setting \
                `safe.directory`.",
            next: "Run the command as the owner of the repository. If you trust the repository, run `git config \
                --global --add safe.directory FOLDER`.",
        }
        Tilde { flake: String } {
            kind: Evaluation,
            text: "cannot lock the flake {flake}: the shell did not expand ~",
            means: "A shell expands `~` only at the start of a word and without quotes.",
            next: "Write the absolute path, starting with `/`.",
        }
        UnknownParameter { flake: String, parameter: String } {
            kind: Evaluation,
            text: "cannot lock the flake {flake}: the parameter {parameter} is not supported for a folder outside a \
                git repository",
            hint: "omit {parameter}=, or specify a git repository",
            means: "A flake reference to a plain folder accepts fewer parameters than one to a git repository.",
            next: "Omit the parameter, or specify a git repository.",
        }
        NotRegistered { flake: String, name: String } {
            kind: Evaluation,
            text: "cannot lock the flake {flake}: no flake registry has an entry for {name}",
            means: "Nix looks up a name without a path or URL in its flake registries.",
            next: "For a folder, begin the path with `./` or `/`. Run `nix registry list` to see all entries.",
        }
        InputNotRegistered { flake: String, entry: String, input: String, option: String } {
            kind: Evaluation,
            text: "cannot lock the flake {flake}: an input refers to {entry}, which no flake registry contains",
            hint: "give the input a URL in flake.nix: {option}.url = \"…\"; \
                or replace it for this run: --override-input {input} REF",
            means: "`flake.nix` gives the input no URL, or only a name that no flake registry has.",
            next: "Give the input a URL in `flake.nix`, or replace it for this run with `--override-input`.",
        }
        UnknownAttribute { flake: String, attribute: String, libnix: String } {
            kind: Evaluation,
            text: "cannot lock the flake {flake}: flake.nix has the attribute '{attribute}', which libnix {libnix} \
                does not support",
            means: "The attribute is misspelled, or only a newer Nix supports it.",
            next: "Check the spelling. If it is correct, use a build of runtime-module that is linked to a newer Nix, or \
                remove the attribute.",
        }
        StoreElsewhere { flake: String } {
            kind: Refused,
            text: "cannot lock the flake {flake}: the store is on another machine, \
                so its sources cannot be evaluated here",
            hint: "{REMOTE_BUILDERS}",
            means: "The program cannot read sources in the store of another machine.",
            next: "Omit `--store`. To build on other machines, configure them as remote builders of this machine \
                (`nix.buildMachines`).",
        }
        Failed { flake: String, reason: String } {
            kind: Evaluation,
            text: "cannot lock the flake {flake}: {reason}",
            means: "The flake does not exist, cannot be fetched, or cannot be read. The reason comes from Nix.",
            next: "Use a flake reference that Nix accepts: a folder with a `flake.nix`, `github:OWNER/REPO`, \
                `git+https://…`, `path:…`.",
        }
    }
}
