//! What people type after an option, as values.

use std::time::Duration;

/// A time as people type it: `30s`, `2m`, `1h`, `500ms`; without a unit, seconds.
pub fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 1,
        "" | "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err("a time is a number with ms, s, m or h: 30s".into()),
    };
    let number: u32 = digits
        .parse()
        .map_err(|_| "a time is a whole number with ms, s, m or h: 30s".to_string())?;
    Ok(Duration::from_millis(u64::from(number) * unit))
}

/// `1500M`, `2G`, or bytes.
pub fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.find(|c: char| c.is_ascii_alphabetic()) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let shift = match unit {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return Err("it is a number with K, M or G behind it, or bytes".into()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "it begins with a whole number".to_string())?;
    number
        .checked_shl(shift)
        .filter(|bytes| bytes >> shift == number && *bytes > 0)
        .ok_or_else(|| "it is too large, or nothing".into())
}

/// A time that passes.
pub fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "it is a number of seconds".to_string())?;
    if seconds > 0.0 && seconds < 1e9 {
        Ok(seconds)
    } else {
        Err("it is more than none, and not for ever".into())
    }
}

/// By how much something may grow.
pub fn percent(text: &str) -> Result<f64, String> {
    let percent: f64 = text
        .parse()
        .map_err(|_| "it is a number of percents".to_string())?;
    if percent.is_finite() && percent >= 0.0 {
        Ok(percent)
    } else {
        Err("it is nothing or more, and not without end".into())
    }
}

/// `1/4`: the first of four.
pub fn shard(text: &str) -> Result<(usize, usize), String> {
    let parsed = text
        .split_once('/')
        .and_then(|(number, count)| Some((number.parse().ok()?, count.parse().ok()?)));
    match parsed {
        Some((number, count)) if number >= 1 && number <= count => Ok((number, count)),
        _ => Err("it is I/N, such as 1/4 for the first of four parts".into()),
    }
}
