//! Attribute paths such as `systemd.units."sshd.service".text`.

use crate::error::{ArgumentError, Failed};

/// Splits an attribute path into its names. An empty string contains no names.
pub fn parse(text: &str) -> Result<Vec<String>, Failed> {
    let path = text.to_string();
    let mut names = Vec::new();
    let mut rest = text.chars().peekable();
    while rest.peek().is_some() {
        let mut name = String::new();
        if rest.next_if_eq(&'"').is_some() {
            loop {
                match rest.next() {
                    Some('"') => break,
                    Some('\\') => name.extend(rest.next()),
                    Some(c) => name.push(c),
                    None => return Err(ArgumentError::UnclosedQuoteInPath { path }.into()),
                }
            }
        } else {
            while let Some(c) = rest.next_if(|c| *c != '.') {
                name.push(c);
            }
            if name.is_empty() {
                return Err(ArgumentError::EmptyNameInPath { path }.into());
            }
        }
        names.push(name);
        match rest.next() {
            None => break,
            Some('.') if rest.peek().is_some() => {}
            Some('.') => return Err(ArgumentError::DotAtEndOfPath { path }.into()),
            Some(_) => return Err(ArgumentError::NoDotAfterQuoteInPath { path }.into()),
        }
    }
    Ok(names)
}

/// Formats an attribute path in Nix syntax.
pub fn written(names: &[String]) -> String {
    let plain = |name: &str| {
        name.chars()
            .all(|c| c.is_alphanumeric() || "_-'".contains(c))
            && name.starts_with(|c: char| c.is_alphabetic() || c == '_')
    };
    let quoted = names.iter().map(|name| match plain(name) {
        true => name.clone(),
        false => format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")),
    });
    quoted.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_separated_by_unquoted_dots() {
        let names = |text| parse(text).expect("a path");
        assert_eq!(names("a.b-c"), ["a", "b-c"]);
        assert_eq!(
            names(r#"systemd.units."a.service".text"#),
            ["systemd", "units", "a.service", "text"]
        );
        assert_eq!(names(r#""a\"b""#), ["a\"b"]);
        assert!(names("").is_empty());
    }

    #[test]
    fn invalid_paths_are_refused() {
        for text in ["a..b", "a.", ".a", "\"a", "\"a\"b"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
