//! Parses durations from the command line and from the baked configuration, such as `500ms` and
//! `1h30m`.

use std::time::Duration;

/// The longest accepted duration. This limit ensures that the computation of a deadline cannot
/// overflow.
const LONGEST: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

/// Parses a duration. A plain number, with or without a fraction, is in seconds.
pub fn parse(text: &str) -> Result<Duration, String> {
    let parsed = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => humantime::parse_duration(text).ok(),
    };
    match parsed {
        Some(duration) if duration <= LONGEST => Ok(duration),
        Some(_) => Err("a duration can be at most 3650 days".into()),
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

/// Parses a duration in the baked configuration. `config.schema.json` requires whole numbers of at
/// most four digits, each with its unit.
pub fn parse_configured(text: &str) -> Result<Duration, String> {
    match has_units(text) {
        true => parse(text),
        false => Err("expected a duration such as 500ms, 30s, 5m or 1h30m".into()),
    }
}

/// Returns whether the text matches `([1-9][0-9]{0,3}(ms|s|m|h))+`.
fn has_units(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = rest.len() - unit.len();
        let next = ["ms", "s", "m", "h"]
            .into_iter()
            .find_map(|name| unit.strip_prefix(name));
        match next.filter(|_| (1..=4).contains(&digits) && !rest.starts_with('0')) {
            Some(next) => rest = next,
            None => return false,
        }
    }
    !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_syntax() {
        for (text, milliseconds) in [
            ("0", 0),
            ("90", 90_000),
            ("0.001", 1),
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("5min", 300_000),
            ("1h30m", 5_400_000),
            ("3650d", 315_360_000_000),
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
            "3651d",
            "1e300",
            "99999999999999999999h",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse_positive("0s").is_err());
    }

    #[test]
    fn configured_durations_need_units() {
        assert_eq!(parse_configured("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(
            parse_configured("5m500ms"),
            Ok(Duration::from_millis(300_500))
        );
        for text in ["", "60", "0s", "10000s", "5d", "1.5m", "5m ", "s"] {
            assert!(parse_configured(text).is_err(), "{text}");
        }
    }
}
