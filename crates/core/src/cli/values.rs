//! Parsers for the values of options.

/// Parses a size such as `1500M` or `2G`, or a number of bytes.
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
        _ => {
            return Err("must be a number of bytes, or a number with K, M or G, such as 2G".into());
        }
    };
    let number: u64 = number.parse().map_err(|_| {
        "must be a whole number less than 2^64, optionally followed by K, M or G, such as 1536M"
            .to_string()
    })?;
    number
        .checked_shl(shift)
        .filter(|bytes| bytes >> shift == number && *bytes > 0)
        .ok_or_else(|| "must be positive and less than 2^64 bytes".into())
}

/// Parses a percentage of at least 0.
pub fn percent(text: &str) -> Result<f64, String> {
    let percent: f64 = text
        .parse()
        .map_err(|_| "must be a percentage".to_string())?;
    if percent.is_finite() && percent >= 0.0 {
        Ok(percent)
    } else {
        Err("must be a finite percentage of at least 0".into())
    }
}

/// Parses a shard such as `1/4`, the first of four parts.
pub fn shard(text: &str) -> Result<(usize, usize), String> {
    let parsed = text
        .split_once('/')
        .and_then(|(number, count)| Some((number.parse().ok()?, count.parse().ok()?)));
    match parsed {
        Some((number, count)) if number >= 1 && number <= count => Ok((number, count)),
        _ => Err("must be I/N, such as 1/4 for the first of four parts".into()),
    }
}
