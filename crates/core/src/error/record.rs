//! Messages about the files in which the program records its state.

use crate::messages;

messages! {
    /// Reasons why a record cannot be read or written.
    pub enum RecordError {
        OtherSchema { path: String, found: u64, supported: u64, remedy: String } {
            kind: Refused,
            text: "cannot read {path}: the file has schema {found}, but this version reads schema {supported}",
            hint: "use the version of runtime-module that wrote the file",
            hint: "otherwise, {remedy}",
            means: "Another version of runtime-module wrote the file.",
            next: "Use that version, or follow the other hint.",
        }
        Damaged { path: String, reason: String, remedy: String } {
            kind: Refused,
            text: "cannot read {path}: the file is damaged: {reason}",
            hint: "{remedy}",
            means: "The file is not valid JSON, or one of its fields is missing or has the wrong type.",
            next: "Follow the hint. If the hint tells you to move the file, it also says which data is lost.",
        }
        NoSchema { path: String, remedy: String } {
            kind: Refused,
            text: "cannot read {path}: the field `schema` is missing",
            hint: "{remedy}",
            means: "Another program wrote the file, or the file is damaged.",
            next: "Follow the hint.",
        }
        GenerationNotNext { path: String, generation: u64, last: u64 } {
            kind: Refused,
            text: "cannot record generation {generation}: {path} already ends with generation {last}",
            hint: "move {path} aside; only the history of overrides is lost",
            means: "The history of overrides is newer than the state, because the state file was moved or deleted.",
            next: "Move the history file aside. The overrides themselves stay in force.",
        }
        UnknownRecord { history: &'static str, path: String, place: String, reason: String } {
            kind: Refused,
            text: "cannot read the {history} {path}: {place} is intact, but this version cannot parse it: {reason}",
            hint: "use the version of runtime-module that wrote the file",
            hint: "otherwise, move {path} aside; only the {history} is lost",
            means: "Another version of runtime-module wrote the record.",
            next: "Use that version, or move the file aside, which loses only this history. `confirm` and `recover` \
                work without it.",
        }
        DamagedRecord { history: &'static str, path: String, place: String } {
            kind: Refused,
            text: "cannot read the {history} {path}: {place} is damaged",
            hint: "move {path} aside; only the {history} is lost",
            means: "A record before the end of the file is damaged, so nothing more is appended to the file.",
            next: "Move the file aside, which loses only this history.",
        }
        SymbolicLink { action: String } {
            kind: Refused,
            text: "{action}: the path is a symbolic link",
            hint: "remove the symbolic link; runtime-module does not follow links when it writes as root",
            means: "A directory for the program's records is a symbolic link. Following it could overwrite \
                other files.",
            next: "Remove the symbolic link.",
        }
        PermissionDenied { action: String } {
            kind: Refused,
            text: "{action}: permission denied",
            hint: "run the command with sudo; only root may change the system",
            means: "Only root can write this file or directory.",
            next: "Run the command with sudo.",
        }
        ReadOnly { action: String } {
            kind: Refused,
            text: "{action}: the file system is read-only",
            hint: "make the file system writable; the machine may be in rescue mode, or its disk may be failing",
            means: "The program cannot record its state. `list` and `status` still work.",
            next: "Make the file system writable. The machine may be in rescue mode, or its disk may be failing.",
        }
        NoSpaceLeft { action: String } {
            kind: Refused,
            text: "{action}: no space is left on the device",
            hint: "free some space and try again; nothing was lost",
            means: "The program cannot record its state. The old state is intact.",
            next: "Free some space, then try again.",
        }
        DiskFailed { action: String } {
            kind: Refused,
            text: "{action}: the disk reported an I/O error",
            hint: "run `dmesg` to see the kernel messages; the old state is intact",
            means: "The kernel could not write to the disk, which may be failing. The old state is intact.",
            next: "Run `dmesg` to see the kernel messages, and check the disk.",
        }
    }
}
