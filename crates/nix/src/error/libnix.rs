//! Messages about libnix: its version, its settings, and the store that it opens.

use crate::messages;

messages! {
    /// Reasons why libnix, or the store, cannot be opened.
    pub enum LibnixError {
        UnknownSetting { setting: String } {
            kind: Usage,
            text: "cannot set --option {setting}: Nix has no such setting",
            hint: "see `man nix.conf` for the settings of the Nix release that this program is linked to",
            means: "This release of libnix has no Nix setting of this name.",
            next: "See `man nix.conf` of the same release.",
        }
        WrongSetting { setting: String, reason: String } {
            kind: Usage,
            text: "cannot set --option {setting}: {reason}",
            means: "The value does not have the type of the setting.",
            next: "Give a value as described in `man nix.conf`.",
        }
        StoreUnreachable { reason: String } {
            kind: Refused,
            text: "cannot open the store: {reason}",
            means: "The program could not connect to the store.",
            next: "Follow the hint.",
        }
        StoreNotOpened { store: String, reason: String } {
            kind: Refused,
            text: "cannot open the store {store}: {reason}",
            means: "The daemon is not running, the kind of store is unknown, or a newer Nix made the store.",
            next: "Follow the hint, or name another store with `--store`.",
        }
        OtherVersion { compiled: String, loaded: String } {
            kind: Internal,
            text: "cannot open libnix: this program was compiled against {compiled}, but {loaded} is loaded",
            hint: "build runtime-module against the installed libnix, because Nix has no stable ABI",
            means: "Nix has no stable ABI.",
            next: "Build runtime-module against the installed libnix.",
        }
    }
}
