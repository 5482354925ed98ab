//! Messages about builds, and about related requests to the store: queries before a build, and GC
//! roots after it.

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
            text: "cannot start the build: {reason}",
            means: "The store could not start the build.",
            next: "Hints for common build failures are below. Nothing was changed.",
        }
        NotQueried { reason: String } {
            kind: Build,
            text: "cannot query the store for missing paths: {reason}",
            means: "The store does not respond, or the request failed.",
            next: "Check that the Nix daemon is running: `systemctl status nix-daemon`.",
        }
        NotKept { reason: String } {
            kind: Build,
            text: "cannot protect the build outputs from garbage collection: {reason}",
            means: "The build succeeded, but the store did not accept temporary GC roots for its outputs.",
            next: "Run the command again. Finished builds are usually still in the store.",
        }
    }
}
