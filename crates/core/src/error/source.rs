//! Messages about the source of the configuration: a flake, a file, a pin, a host or a
//! specialisation.

use crate::error::Purpose;
use crate::messages;

messages! {
    /// Reasons why the source or the known system of a request cannot be used.
    pub enum SourceError {
        EmptyName { option: String } {
            kind: Usage,
            text: "cannot use {option} '': the name is empty",
            hint: "give {option} a name, or leave it out",
            means: "The option has an empty value.",
            next: "Name a value, or leave out the option.",
        }
        FileIsFlake { file: String, folder: String } {
            kind: Usage,
            text: "cannot use --file {file}: this is a flake",
            hint: "name its folder instead: --flake {folder}",
            means: "The path is a `flake.nix`, or a folder that contains only a flake.",
            next: "Name the folder with `--flake`.",
        }
        AttributeWithoutFile { attribute: String } {
            kind: Usage,
            text: "cannot use --attr {attribute}: no file is named",
            hint: "name the file with --file; to name an entry of a flake's nixosConfigurations, use --host",
            means: "`--attr` names a system in the file of `--file`.",
            next: "Name the file. To name an entry of a flake's `nixosConfigurations`, use `--host`.",
        }
        HostOfFile { file: String } {
            kind: Usage,
            text: "cannot use --file {file}: --host is only for flakes",
            hint: "leave out --host; --attr names a system in the file",
            means: "A file has no hosts. The two options exclude each other.",
            next: "Leave out `--host`. To name a system in the file, use `--attr`.",
        }
        FlakeOptionWithFile { file: String, option: String } {
            kind: Usage,
            text: "cannot use --file {file}: {option} is only for flakes",
            hint: "leave out one of the two options",
            means: "The two options exclude each other.",
            next: "Leave out one of them.",
        }
        FlakeOptionForRememberedFile { option: String, file: String } {
            kind: Usage,
            text: "cannot use {option}: the option is for flakes, and this machine's configuration is {file}",
            hint: "name another system with --file and --attr, or a flake with --flake",
            means: "The program remembers the file that was named last, and that file is not a flake.",
            next: "Name another system with `--file` and `--attr`, or a flake with `--flake`.",
        }
        NoSuchFile { file: String } {
            kind: Usage,
            text: "cannot use --file {file}: the file does not exist",
            hint: "name a Nix file, or a folder with a default.nix or configuration.nix",
            means: "There is no file or folder at this path.",
            next: "Name a Nix file, or a folder with a `default.nix` or `configuration.nix`.",
        }
        NoFileInFolder { folder: String } {
            kind: Usage,
            text: "cannot use --file {folder}: the folder has neither a default.nix nor a configuration.nix",
            hint: "name a Nix file, or a folder with a default.nix or configuration.nix",
            means: "The program cannot tell which file in the folder to use.",
            next: "Name the file.",
        }
        FileNotUtf8 { file: String } {
            kind: Usage,
            text: "cannot use --file {file}: the absolute path is not UTF-8",
            hint: "use a symbolic link with another name",
            means: "The program stores paths as text.",
            next: "Use a symbolic link with another name.",
        }
        UnknownFlake {
            kind: Refused,
            text: "cannot tell which flake this system was built from",
            means: "No flake is baked in or pinned.",
            next: "Name the flake with `--flake` and `--host`, or a file with `--file`; or set \
                `services.runtimeModules.flake = self`.",
        }
        RememberedFileGone { file: String } {
            kind: Refused,
            text: "cannot evaluate this machine's configuration: the file {file} no longer exists",
            hint: "name the new location with --file, or a flake with --flake",
            hint: "or run `runtime-module rollback` or `reset --all`, which need no evaluation",
            means: "The program remembers the file that was named last, and that file was moved or deleted.",
            next: "Name its new location with `--file`, or a flake with `--flake`. `rollback` and `reset --all` also \
                work without the file.",
        }
        NoFlakeUrl {
            kind: Refused,
            text: "cannot rebuild: services.runtimeModules.flakeUrl is not set",
            hint: "set services.runtimeModules.flakeUrl, or name the flake with --flake",
            means: "The program does not know which source to rebuild from.",
            next: "Set the option, or name the flake with `--flake`.",
        }
        UnknownBase {
            kind: Refused,
            text: "cannot reset: the system without modules is unknown",
            hint: "activate a system with nixos-rebuild, or run `runtime-module apply`",
            means: "This boot has no recorded state.",
            next: "Activate a system with nixos-rebuild, or run `runtime-module apply`.",
        }
        SystemDeleted { purpose: Purpose, system: String } {
            kind: Refused,
            text: "cannot {purpose}: the system {system} is no longer in the store",
            hint: "run `runtime-module history` to choose another state, or enable and disable modules to build this \
                one again",
            means: "The garbage collector deleted the system of this state.",
            next: "Run `runtime-module history` to choose another state, or enable and disable modules to build this \
                one again.",
        }
    }
}
