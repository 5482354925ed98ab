//! Messages about the source of the configuration: a flake, a file, a pin, a host or a
//! specialisation.

use crate::error::Purpose;
use crate::messages;

messages! {
    /// Reasons why the source or the known system of a request cannot be used.
    pub enum SourceError {
        EmptyName { option: String } {
            kind: Usage,
            text: "cannot use {option} '': the value is empty",
            hint: "give {option} a value, or omit it",
            means: "The value is empty, for example because a shell variable is not set.",
            next: "Give the option a value, or omit it.",
        }
        FileIsFlake { file: String, folder: String } {
            kind: Usage,
            text: "cannot use --file {file}: the path is a flake",
            hint: "use --flake {folder}",
            means: "The path is a `flake.nix`, or a folder that contains only a flake.",
            next: "Use `--flake` with the folder of the flake.",
        }
        AttributeWithoutFile { attribute: String } {
            kind: Usage,
            text: "cannot use --attr {attribute}: the option needs --file",
            hint: "add --file, or use --host to select an entry of a flake's nixosConfigurations",
            means: "`--attr` selects a system in the file that `--file` names.",
            next: "Add `--file`. To select an entry of a flake's `nixosConfigurations`, use `--host`.",
        }
        HostOfFile { file: String } {
            kind: Usage,
            text: "cannot combine --file {file} with --host: --host is only for flakes",
            hint: "omit --host; use --attr to select a system in the file",
            means: "A file has no `nixosConfigurations` to select a host from.",
            next: "Omit `--host`. To select a system in the file, use `--attr`.",
        }
        FlakeOptionWithFile { file: String, option: String } {
            kind: Usage,
            text: "cannot combine --file {file} with {option}: {option} is only for flakes",
            hint: "omit {option} or --file",
            means: "The option applies to a flake, but `--file` selects a configuration that is not in a flake.",
            next: "Omit one of the two options.",
        }
        FlakeOptionForRememberedFile { option: String, file: String } {
            kind: Usage,
            text: "cannot use {option}: the option is only for flakes, but the configuration of this machine is {file}",
            hint: "select another system with --file and --attr, or a flake with --flake",
            means: "The program remembers the file of the last change, and this file is not a flake.",
            next: "Select another system with `--file` and `--attr`, or a flake with `--flake`.",
        }
        NoSuchFile { file: String } {
            kind: Usage,
            text: "cannot use --file {file}: the file does not exist",
            hint: "specify a Nix file, or a folder with a default.nix or configuration.nix",
            means: "`--file` takes the path of a file or folder, relative to the current directory.",
            next: "Specify a Nix file, or a folder with a `default.nix` or `configuration.nix`.",
        }
        NoFileInFolder { folder: String } {
            kind: Usage,
            text: "cannot use --file {folder}: the folder has neither a default.nix nor a configuration.nix",
            hint: "specify a Nix file, or a folder with a default.nix or configuration.nix",
            means: "In a folder, the program looks only for these two files.",
            next: "Specify the Nix file itself.",
        }
        FileNotUtf8 { file: String } {
            kind: Usage,
            text: "cannot use --file {file}: the absolute path is not valid UTF-8",
            hint: "use a symbolic link whose absolute path is valid UTF-8",
            means: "The program records the absolute path, which includes the current directory, as a UTF-8 \
                string.",
            next: "Use a symbolic link whose absolute path is valid UTF-8.",
        }
        UnknownFlake {
            kind: Refused,
            text: "cannot tell which flake this system was built from",
            means: "No flake is built into the running system, and none is pinned.",
            next: "Select the flake with `--flake` and `--host`, or a file with `--file`. To do so permanently, set \
                `services.runtimeModules.flake = self`.",
        }
        RememberedFileGone { file: String } {
            kind: Refused,
            text: "cannot evaluate the configuration of this machine: the file {file} no longer exists",
            hint: "specify the new path with --file, or a flake with --flake",
            hint: "or run `runtime-module reset --all` or `runtime-module rollback`, which evaluate nothing",
            means: "The program remembers the file of the last change, and this file was moved or deleted.",
            next: "Specify its new path with `--file`, or a flake with `--flake`. `reset --all` and `rollback` also \
                work without the file.",
        }
        NoFlakeUrl {
            kind: Refused,
            text: "cannot rebuild: services.runtimeModules.flakeUrl is not set",
            hint: "set services.runtimeModules.flakeUrl, or specify the flake with --flake",
            means: "The program does not know where to find the current version of the flake: the pinned source was \
                built into the system, or nothing is pinned.",
            next: "Set the option, or specify the flake with `--flake`.",
        }
        UnknownBase {
            kind: Refused,
            text: "cannot reset: the system without modules is unknown",
            hint: "activate a system with nixos-rebuild, or run `runtime-module apply`",
            means: "This boot has no recorded state, so the program does not know the system to return to.",
            next: "Activate a system with nixos-rebuild, or run `runtime-module apply`.",
        }
        SystemDeleted { purpose: Purpose, system: String } {
            kind: Refused,
            text: "cannot {purpose}: the system {system} is no longer in the store",
            hint: "run `runtime-module history` to choose another state, or enable and disable modules to build this \
                one again",
            means: "The system of this state was deleted, usually by the garbage collector.",
            next: "Run `runtime-module history` to choose another state, or enable and disable modules to build this \
                one again.",
        }
    }
}
