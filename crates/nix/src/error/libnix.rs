//! Messages about libnix: its version, its settings, and the store that it opens.

use crate::messages;

messages! {
    /// Errors about libnix's version, its settings and its store.
    pub enum LibnixError {
        UnknownSetting { setting: String } {
            kind: Usage,
            text: "cannot set --option {setting}: Nix has no such setting",
            hint: "check the spelling; this program supports the settings of the Nix release that it is linked to, which \
                may differ from those in `man nix.conf`",
            means: "The Nix release that this program is linked to has no setting with this name.",
            next: "Check the spelling, or see `man nix.conf` of the same Nix release.",
        }
        WrongSetting { setting: String, reason: String } {
            kind: Usage,
            text: "cannot set --option {setting}: {reason}",
            hint: "see `man nix.conf` for the values that the setting accepts",
            means: "The value does not have the type of the setting.",
            next: "Use a value that `man nix.conf` describes.",
        }
        StoreUnreachable { reason: String } {
            kind: Refused,
            text: "cannot open the store: {reason}",
            means: "Nix could not connect to its daemon, or to a remote store, while it locked the flake.",
            next: "Follow the hint, which depends on the store.",
        }
        StoreNotOpened { store: String, reason: String } {
            kind: Refused,
            text: "cannot open the store {store}: {reason}",
            means: "The daemon is not running, the kind of store is unknown, or a newer Nix made the store.",
            next: "Follow the hint, or use another store with `--store`.",
        }
        OtherVersion { compiled: String, loaded: String } {
            kind: Internal,
            text: "cannot use libnix: this program was built against libnix {compiled}, but libnix {loaded} is loaded",
            hint: "build runtime-module against the installed libnix",
            means: "Nix has no stable ABI, so both versions must be the same.",
            next: "Build runtime-module against the installed libnix.",
        }
    }
}
