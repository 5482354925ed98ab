//! What people type after an option, as values.

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
