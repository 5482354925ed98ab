//! Hints that several messages share.

/// The hint if a store is on another machine.
pub(super) const REMOTE_BUILDERS: &str = "to build on other machines, configure them as remote builders of this machine (nix.buildMachines)";
