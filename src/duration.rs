//! The one grammar for durations, in flags and in the baked configuration: `500ms`, `30s`, `5m`, `1h30m`, `1.5`.

use std::time::Duration;

/// The longest duration that a deadline can be computed from without overflow, and longer than any use of one.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Parses a duration. A plain number, with or without a fraction, is in seconds.
pub fn parse(text: &str) -> Result<Duration, String> {
    let parsed = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => humantime::parse_duration(text).ok(),
    };
    match parsed {
        Some(duration) if duration <= LONGEST => Ok(duration),
        Some(_) => Err("a duration can be at most 365 days".into()),
        None => Err("expected a duration such as 500ms, 30s, 5m or 1h30m".into()),
    }
}

/// Parses a duration that is longer than zero.
pub fn parse_positive(text: &str) -> Result<Duration, String> {
    match parse(text)? {
        Duration::ZERO => Err("expected a duration longer than zero".into()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_grammar() {
        for (text, milliseconds) in [
            ("0", 0),
            ("90", 90_000),
            ("0.001", 1),
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("5min", 300_000),
            ("1h30m", 5_400_000),
            ("365d", 31_536_000_000),
        ] {
            assert_eq!(
                parse(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn malformed_durations_are_refused() {
        for text in [
            "",
            "soon",
            "-1",
            "-1s",
            "NaN",
            "inf",
            "1x",
            "s",
            "366d",
            "1e300",
            "99999999999999999999h",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse_positive("0s").is_err());
    }
}
