//! Starts the verification of runtime files in the background: in a transient unit of systemd, at
//! the lowest priority.

use super::systemd;
use super::unit::TransientUnit;
use crate::host::LocalHost;
use crate::locations::Locations;
use crate::partial::VerificationResult;

/// The unit of the verification. A new verification replaces a running one, because only the newest
/// overrides matter.
const UNIT: &str = "runtime-modules-verify.service";

/// Starts a verification if the overrides in force need one. Does nothing on a machine without
/// systemd, so users must run `overrides verify`.
pub(super) fn start(locations: &Locations) {
    let Ok(state) = LocalHost::new(locations).state() else {
        return;
    };
    let waiting = state
        .verification
        .as_ref()
        .is_some_and(|one| one.result == VerificationResult::Waiting);
    if !waiting || state.pending.is_some() || !systemd::runs(locations) {
        return;
    }
    if systemd::is_up(UNIT) == Some(true) {
        let _ = systemd::ask("systemctl", &["stop", "--", UNIT]);
    }
    let unit = TransientUnit {
        name: UNIT,
        description: "Verify option overrides (runtime-module)",
        options: &[
            "--property=Nice=19",
            "--property=CPUSchedulingPolicy=batch",
            "--property=IOSchedulingClass=idle",
            // If memory runs out, the verification must still record its failure. If it is killed,
            // systemd starts it again, at most three times.
            "--property=OOMPolicy=continue",
            "--property=Restart=on-abnormal",
            "--property=RestartSec=30s",
            "--property=StartLimitIntervalSec=1h",
            "--property=StartLimitBurst=3",
            // A newer change stops the verification. Its evaluator and its relay, which ignores
            // SIGTERM, must not delay the start of the next verification.
            "--property=KillMode=mixed",
            "--property=TimeoutStopSec=10s",
            // Use the cache of the system instead of root's own, like the boot service.
            "--setenv=HOME=/root",
            "--setenv=XDG_CACHE_HOME=/var/cache",
        ],
    };
    let mut arguments = vec![
        "overrides",
        "verify",
        "--wait",
        "10min",
        "--progress",
        "plain",
    ];
    arguments.extend(state.verify_options.iter().map(String::as_str));
    // Ignore a failure: `status` shows that the overrides are not verified.
    let _ = unit.run(&arguments);
}
