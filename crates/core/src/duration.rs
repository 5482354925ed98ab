//! Parses durations from the command line and from the baked configuration, such as `500ms` and
//! `1h30m`.

use std::time::Duration;

/// The syntax of durations, as in `config.schema.json` and in the types of NixOS options. It limits
/// the length of a duration, so that the computation of a deadline cannot overflow.
pub const SYNTAX: &str =
    r"^([0-9]{1,8}(\.[0-9]{1,9})?|([0-9]{1,4}(\.[0-9]{1,3})?(ms|s|min|m|h|d)){1,6})$";

/// Parses a duration. A plain number, with or without a fraction, is in seconds.
pub fn parse(text: &str) -> Result<Duration, String> {
    let expected = || "expected a duration such as 500ms, 30s, 5m or 1h30m".to_string();
    if is_decimal(text, 8, 9) {
        let seconds = text.parse().map_err(|_| expected())?;
        return Duration::try_from_secs_f64(seconds).map_err(|_| expected());
    }
    match parts(text) {
        Some(1..=6) => humantime::parse_duration(text).map_err(|_| expected()),
        _ => Err(expected()),
    }
}

/// Parses a duration that is longer than zero.
pub fn parse_positive(text: &str) -> Result<Duration, String> {
    match parse(text)? {
        Duration::ZERO => Err("expected a duration longer than zero".into()),
        duration => Ok(duration),
    }
}

/// Returns whether the string matches `[0-9]{1,WHOLE}(\.[0-9]{1,FRACTION})?`.
fn is_decimal(text: &str, whole: usize, fraction: usize) -> bool {
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    match text.split_once('.') {
        None => digits(text, whole),
        Some((left, right)) => digits(left, whole) && digits(right, fraction),
    }
}

/// Returns the number of parts, each of which is a number with a unit. Returns `None` if the string
/// contains anything else.
fn parts(text: &str) -> Option<usize> {
    let (mut rest, mut count) = (text, 0);
    while !rest.is_empty() {
        let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        if !is_decimal(&rest[..rest.len() - unit.len()], 4, 3) {
            return None;
        }
        rest = ["ms", "s", "min", "m", "h", "d"]
            .into_iter()
            .find_map(|name| unit.strip_prefix(name))?;
        count += 1;
    }
    Some(count)
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
            "10000d",
            "1e300",
            "99999999999999999999h",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse_positive("0s").is_err());
    }

    #[test]
    fn option_type_has_the_documented_syntax() {
        let options = include_str!("../../../nixos/runtime-modules/options.nix");
        let inner = SYNTAX
            .strip_prefix("^(")
            .and_then(|rest| rest.strip_suffix(")$"));
        let literal = inner.expect("an anchored pattern").replace('\\', "\\\\");
        assert!(
            options.contains(&format!("strMatching \"{literal}\"")),
            "{literal}"
        );
    }

    #[test]
    fn parser_agrees_with_the_documented_syntax() {
        let syntax = regex::Regex::new(SYNTAX).expect("a regular expression");
        let pieces = [
            "",
            "0",
            "7",
            "12",
            "9999",
            "10000",
            "12345678",
            "123456789",
            ".",
            "ms",
            "s",
            "min",
            "m",
            "h",
            "d",
            "w",
            " ",
            "-",
        ];
        for a in pieces {
            for b in pieces {
                for c in pieces {
                    for d in pieces {
                        let text = [a, b, c, d].concat();
                        assert_eq!(parse(&text).is_ok(), syntax.is_match(&text), "{text:?}");
                    }
                }
            }
        }
        assert!(parse("1d1d1d1d1d1d1d").is_err());
    }
}
