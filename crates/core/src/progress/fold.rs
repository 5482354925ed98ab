//! Wraps lines for narrow terminals: breaks lines between words, and indents continuation lines to
//! the column at which the text begins. Does not access the terminal. Output that does not go to a
//! terminal is never wrapped.

use console::measure_text_width;
use textwrap::core::Word;
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm, wrap};

/// The minimum width of a terminal on which lines are wrapped.
const NARROWEST: usize = 24;

/// The units that stay on the same line as the number before them.
const UNITS: [&str; 9] = ["ms", "s", "m", "h", "%", "B", "kB", "MB", "GB"];

/// Wraps lines that are longer than `columns`. Without a terminal, `columns` is `None`, and no line
/// is wrapped.
pub fn fold(text: &str, columns: Option<usize>) -> String {
    let Some(columns) = columns.filter(|columns| *columns >= NARROWEST) else {
        return text.to_string();
    };
    let mut folded = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (words, end) = match line.strip_suffix('\n') {
            Some(words) => (words, "\n"),
            None => (line, ""),
        };
        if measure_text_width(words) <= columns || is_excerpt(words) {
            folded.push_str(words);
        } else {
            folded.push_str(&fold_line(words, columns));
        }
        folded.push_str(end);
    }
    folded
}

/// Returns whether a line is quoted from a log, or from a source file with a line number. These
/// lines are not wrapped.
fn is_excerpt(line: &str) -> bool {
    let line = line.trim_start();
    let after_number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    line.starts_with("> ") || after_number.trim_start().starts_with('|')
}

fn fold_line(line: &str, columns: usize) -> String {
    let indent = " ".repeat(hang(line, columns));
    let room = columns.saturating_sub(indent.len());
    let options = Options::new(columns)
        .subsequent_indent(&indent)
        .break_words(false)
        .word_separator(WordSeparator::Custom(words))
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    let mut folded = String::new();
    let mut rest = line;
    for part in wrap(line, options) {
        let part = part.trim_start_matches(' ');
        let after = rest.trim_start_matches(' ');
        // textwrap puts a word that is too long for any line on a new line. Leave such a word on
        // its line instead, so that it stays in its column and next to the word before it.
        if rest.len() == line.len() || measure_text_width(part) > room {
            folded.push_str(&" ".repeat(rest.len() - after.len()));
        } else {
            folded.push('\n');
            folded.push_str(&indent);
        }
        folded.push_str(part);
        rest = &after[part.len()..];
    }
    folded
}

/// Splits a line into words, each with the spaces after it.
fn words(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    let mut rest = line;
    Box::new(std::iter::from_fn(move || {
        let after = rest[word(rest)..].trim_start_matches(' ');
        let (one, after) = rest.split_at(rest.len() - after.len());
        rest = after;
        (!one.is_empty()).then(|| Word::from(one))
    }))
}

/// Returns the length of the first word. A number and the unit after it count as one word.
fn word(text: &str) -> usize {
    let end = text.find(' ').unwrap_or(text.len());
    unit_after(text, end).map_or(end, |unit| end + 1 + unit)
}

/// Returns the length of the unit after a number that ends at `end`, if there is such a number with
/// a unit.
fn unit_after(text: &str, end: usize) -> Option<usize> {
    let number = text[..end].ends_with(|c: char| c.is_ascii_digit());
    let next = text[end..].strip_prefix(' ')?.split(' ').next()?;
    let unit = UNITS.contains(&next.trim_end_matches([',', ';', ')', '.']));
    (number && unit).then_some(next.len())
}

/// Returns the indentation of continuation lines. This is the start of the line's last column if
/// enough room is left, otherwise slightly more than the indentation of the line itself. Times are
/// right-aligned, so they do not count as the start of a column.
fn hang(line: &str, columns: usize) -> usize {
    let plain = console::strip_ansi_codes(line);
    let begin = plain.len() - plain.trim_start_matches(' ').len();
    let mut last = begin + 2;
    let mut at = begin;
    while let Some(gap) = plain[at..].find("  ") {
        let rest = plain[at + gap..].trim_start_matches(' ');
        let column = measure_text_width(&plain[..plain.len() - rest.len()]);
        if column > columns / 2 || rest.is_empty() {
            break;
        }
        if unit_after(rest, rest.find(' ').unwrap_or(rest.len())).is_none() {
            last = column;
        }
        at = plain.len() - rest.len();
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        fold(text, Some(30))
    }

    #[test]
    fn lines_wrap_between_words_and_are_indented() {
        assert_eq!(
            folded("web   off  A small web server on port 8088\nshort\n"),
            "web   off  A small web server\n           on port 8088\nshort\n"
        );
        assert_eq!(
            folded("error: the system cannot be built on this disk"),
            "error: the system cannot be\n  built on this disk"
        );
        assert_eq!(
            folded("  - a detail that is longer than that"),
            "  - a detail that is longer\n    than that"
        );
    }

    #[test]
    fn number_stays_with_its_unit() {
        assert_eq!(
            folded("the evaluation took all of 12.5 ms, and more"),
            "the evaluation took all of\n  12.5 ms, and more"
        );
        assert_eq!(folded("words of 2"), "words of 2");
        assert_eq!(
            folded("1  apply    4.4 s  with all the modules"),
            "1  apply    4.4 s  with all\n   the modules"
        );
    }

    #[test]
    fn long_words_and_excerpts_are_not_wrapped() {
        let path = "/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-system";
        for line in [
            format!("system: {path}"),
            format!("  > {path} is a line of a log"),
            format!("       7 | {path} is a line of a file"),
        ] {
            assert_eq!(folded(&line), line);
        }
        assert_eq!(
            folded(&format!("the file {path} was not found")),
            format!("the file {path}\n  was not found")
        );
        let long = "a b ".repeat(20);
        assert_eq!(fold(&long, None), long);
        assert_eq!(fold(&long, Some(10)), long);
    }

    #[test]
    fn colours_have_no_width_and_cjk_has_two() {
        let green = "\u{1b}[32mdone\u{1b}[0m";
        let line = format!("{green} {green} {green} {green} {green} {green}");
        assert_eq!(folded(&line), line);
        assert_eq!(
            folded("宽宽宽宽宽宽宽宽 宽宽宽宽宽宽宽宽"),
            "宽宽宽宽宽宽宽宽 宽宽宽宽宽宽宽宽".replace(' ', "\n  ")
        );
    }
}
