//! The time of day as all that we write tells it: seconds since 1970, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now.
pub fn now() -> u64 {
    seconds(SystemTime::now())
}

/// Seconds since 1970; none of a clock that was never set.
pub fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
