//! Quotes words of the shell commands in messages.

/// Quotes a string as one shell word, if necessary.
pub fn for_shell(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,#".contains(c);
    match !text.is_empty() && text.chars().all(plain) && !text.starts_with('#') {
        true => text.into(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_special_words_are_quoted() {
        assert_eq!(for_shell("./conf#box"), "./conf#box");
        assert_eq!(for_shell("path:/a?dir=b&x=1"), "'path:/a?dir=b&x=1'");
        assert_eq!(for_shell("/a b"), "'/a b'");
        assert_eq!(for_shell("it's"), r"'it'\''s'");
        assert_eq!(for_shell("~/x"), "'~/x'");
        assert_eq!(for_shell(""), "''");
    }
}
