//! Messages about builds, and about the requests to the store around them.

use crate::messages;

messages! {
    /// Reasons why a system cannot be built.
    pub enum BuildError {
        Failed { name: String, reason: String } {
            kind: Build,
            text: "cannot build {name}: {reason}",
            means: "A builder failed. The message shows the last lines of its log.",
            next: "Run `nix log DERIVATION` to see the full log. Hints for common build failures are below.",
        }
        NotStarted { reason: String } {
            kind: Build,
            text: "cannot build: {reason}",
            means: "The store could not start the build.",
            next: "Hints for common build failures are below. Nothing was changed.",
        }
        NotQueried { reason: String } {
            kind: Build,
            text: "cannot query missing paths: {reason}",
            means: "The store does not respond.",
            next: "Check that the Nix daemon is running: `systemctl status nix-daemon`.",
        }
        NotKept { reason: String } {
            kind: Build,
            text: "cannot keep the build outputs: {reason}",
            means: "The outputs could not be protected from the garbage collector.",
            next: "Run the command again.",
        }
    }
}
