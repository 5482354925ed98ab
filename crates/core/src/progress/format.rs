//! Formats numbers, durations and names as human-readable text, and wraps text for the terminal.

use std::time::Duration;

use super::fold::fold;
use crate::error::neutral;

/// Wraps text for stdout if stdout is a terminal.
pub fn for_stdout(text: &str) -> String {
    fold(text, columns(&console::Term::stdout()))
}

/// Wraps text for stderr if stderr is a terminal.
pub fn for_stderr(text: &str) -> String {
    fold(text, columns(&console::Term::stderr()))
}

/// Returns the width of a terminal, or `None` if the output is not a terminal.
fn columns(terminal: &console::Term) -> Option<usize> {
    terminal.size_checked().map(|(_, columns)| columns.into())
}

/// Formats `1234567` as `1.23 MB`.
pub fn bytes(amount: u64) -> String {
    indicatif::DecimalBytes(amount).to_string()
}

/// Formats `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a duration such as `12 ms`, `3.4 s` or `2 m 05 s`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.0995 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if seconds < 59.5 {
        format!("{seconds:.0} s")
    } else {
        let whole = seconds.round() as u64;
        format!("{} m {:02} s", whole / 60, whole % 60)
    }
}

/// Returns the name in a store path: `/nix/store/<hash>-name.drv` becomes `name`.
pub fn store_name(path: &str) -> String {
    let base = path.rsplit('/').next().unwrap_or(path);
    let name = base.split_once('-').map_or(base, |(_, name)| name);
    neutral(name.strip_suffix(".drv").unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            [grouped(7), grouped(1234), grouped(1_234_567)],
            ["7", "1,234", "1,234,567"]
        );
    }

    #[test]
    fn durations_are_human_readable() {
        let ms = |n| duration(Duration::from_millis(n));
        assert_eq!(
            [
                ms(7),
                ms(99),
                ms(100),
                ms(9_940),
                ms(9_960),
                ms(59_400),
                ms(59_600),
                ms(125_000)
            ],
            [
                "7 ms", "99 ms", "0.1 s", "9.9 s", "10 s", "59 s", "1 m 00 s", "2 m 05 s"
            ]
        );
    }

    #[test]
    fn store_paths_are_shown_by_name() {
        assert_eq!(store_name("/nix/store/abc-hello-1.0.drv"), "hello-1.0");
        assert_eq!(store_name("odd"), "odd");
    }
}
