//! Human-readable numbers.

use runtime_module_core::progress::{duration, grouped};
use runtime_module_core::timings::time_of;

/// Formats milliseconds with at most four significant digits.
pub fn time(milliseconds: f64) -> String {
    match milliseconds {
        ms if ms < 9.9995 => format!("{ms:.3} ms"),
        ms if ms < 99.995 => format!("{ms:.2} ms"),
        ms if ms < 999.95 => format!("{ms:.1} ms"),
        ms if ms < 9_999.5 => format!("{:.3} s", ms / 1e3),
        ms if ms < 60_000.0 => format!("{:.2} s", ms / 1e3),
        ms => duration(time_of(ms)),
    }
}

/// Formats a number with its sign and thousands separators: `+1,234` or `-1,234`.
pub fn signed(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "+" };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_at_most_four_digits() {
        assert_eq!(
            [0.0123, 12.345, 123.45, 1_234.5, 12_345.0, 61_000.0].map(time),
            [
                "0.012 ms", "12.35 ms", "123.5 ms", "1.234 s", "12.35 s", "1 m 01 s"
            ]
        );
        assert_eq!(signed(-12), "-12");
    }
}
