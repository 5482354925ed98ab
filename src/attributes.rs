//! Attribute paths as people type and read them: `systemd.units."sshd.service".text`.

use crate::error::{Failed, Failure};

/// The names of a path. Empty for an empty text.
pub fn parse(text: &str) -> Result<Vec<String>, Failed> {
    let wrong = |why: &str| {
        Failure::Usage
            .error(format!("read the path {text}: {why}"))
            .hint("names are parted by dots; one with a dot in it is quoted: 'systemd.units.\"sshd.service\".text'")
    };
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
                    None => return Err(wrong("a quote has no end")),
                }
            }
        } else {
            while let Some(c) = rest.next_if(|c| *c != '.') {
                name.push(c);
            }
            if name.is_empty() {
                return Err(wrong("a name is empty"));
            }
        }
        names.push(name);
        match rest.next() {
            None => break,
            Some('.') if rest.peek().is_some() => {}
            Some('.') => return Err(wrong("it ends with a dot")),
            Some(_) => return Err(wrong("behind a quoted name comes a dot")),
        }
    }
    Ok(names)
}

/// A path as it is written in Nix.
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
    fn names_are_parted_by_dots_that_are_not_quoted() {
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
    fn what_is_no_path_is_told() {
        for text in ["a..b", "a.", ".a", "\"a", "\"a\"b"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
