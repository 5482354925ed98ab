//! Unix time in whole seconds, as in the program's records.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the current time.
pub fn now() -> u64 {
    seconds(SystemTime::now())
}

/// Converts a time to seconds since 1970. Earlier times become 0.
pub fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
