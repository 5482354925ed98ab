//! Messages about the files in which the program records its state.

use crate::messages;

messages! {
    /// Reasons why a record cannot be read or written.
    pub enum RecordError {
        OtherSchema { path: String, found: u64, supported: u64, remedy: String } {
            kind: Refused,
            text: "cannot read {path}: the file has schema {found}, but this version reads {supported}",
            hint: "use the version of runtime-module that wrote the file",
            hint: "or else: {remedy}",
            means: "Another release of runtime-module wrote the file.",
            next: "Use that release, or follow the other hint.",
        }
        Damaged { path: String, reason: String, remedy: String } {
            kind: Refused,
            text: "cannot read {path}: the file is damaged: {reason}",
            hint: "{remedy}",
            means: "The content of the file has changed since it was written.",
            next: "Follow the hint. If it tells you to move the file away, it also says which data is lost.",
        }
        NoSchema { path: String, remedy: String } {
            kind: Refused,
            text: "cannot read {path}: the field `schema` is missing",
            hint: "{remedy}",
            means: "Another program wrote the file, or it is damaged.",
            next: "Follow the hint.",
        }
        GenerationNotNext { path: String, generation: u64, last: u64 } {
            kind: Refused,
            text: "cannot record generation {generation}: the last one in {path} is {last}",
            hint: "move the file away: {path}; only the history of overrides is lost",
            means: "The history of overrides is newer than the state, because the state file was moved away.",
            next: "Move the history of overrides away as the hint says, which loses only that history.",
        }
        UnknownRecord { history: &'static str, path: String, place: String, reason: String } {
            kind: Refused,
            text: "cannot read the {history} {path}: {place} is intact, but this version cannot parse it: {reason}",
            hint: "use the version of runtime-module that wrote the file",
            hint: "or else: move the file away: {path}; only the {history} is lost",
            means: "Another version of the program wrote that record.",
            next: "Use that version, or move the file away as the hint says, which loses only the history of this \
                boot. `confirm` and `recover` work without it.",
        }
        DamagedRecord { history: &'static str, path: String, place: String } {
            kind: Refused,
            text: "cannot read the {history} {path}: {place} is damaged",
            hint: "move the file away: {path}; only the {history} is lost",
            means: "A record before the end of the history is damaged, so nothing more is appended.",
            next: "Move the file away as the hint says, which loses only the history of this boot.",
        }
        SymbolicLink { action: String } {
            kind: Refused,
            text: "{action}: the path is a symbolic link",
            hint: "remove the link; runtime-module does not follow links when it writes as root",
            means: "The program does not follow symbolic links when it writes as root.",
            next: "Remove the link.",
        }
        PermissionDenied { action: String } {
            kind: Refused,
            text: "{action}: permission denied",
            hint: "run the command with sudo; only root may change the system",
            means: "Only root can write there.",
            next: "Run the command with sudo.",
        }
        ReadOnly { action: String } {
            kind: Refused,
            text: "{action}: the file system is read-only",
            hint: "make the file system writable: \
                the machine may be in rescue mode, or its disk may be failing",
            means: "The program cannot write its state.",
            next: "Make the file system writable: the machine may be in rescue mode, or its disk may be failing. \
                `list` and `status` still work.",
        }
        NoSpaceLeft { action: String } {
            kind: Refused,
            text: "{action}: no space is left",
            hint: "free some space and try again; nothing was lost",
            means: "The program cannot write its state. The old state is intact.",
            next: "Free some space.",
        }
        DiskFailed { action: String } {
            kind: Refused,
            text: "{action}: the disk reports an error",
            hint: "run `dmesg` to see the kernel's messages; nothing was lost",
            means: "The kernel could not write to the disk. The old state is intact.",
            next: "Run `dmesg` to see the kernel's messages.",
        }
    }
}
