//! The name of a guest.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::GuestError;

/// The maximum length of a name. The name is part of the paths of sockets, which Linux limits.
const LIMIT: usize = 40;

/// A valid name of a guest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GuestName(String);

impl GuestName {
    /// Checks a name.
    pub fn new(name: &str) -> Result<Self, GuestError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let valid = name.len() <= LIMIT
            && name.chars().all(allowed)
            && name.starts_with(|c: char| c.is_ascii_alphanumeric());
        match valid {
            true => Ok(Self(name.into())),
            false => Err(GuestError::BadName { name: name.into() }),
        }
    }

    /// Makes a name from any text: replaces other characters, and shortens the text.
    pub fn from_text(text: &str) -> Self {
        let allowed = |c: char| match c.is_ascii_alphanumeric() || "._-".contains(c) {
            true => c,
            false => '-',
        };
        let name: String = text.chars().map(allowed).collect();
        let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        // Leave room for a number.
        let name: String = name.chars().take(LIMIT - 4).collect();
        Self(if name.is_empty() {
            "guest".into()
        } else {
            name
        })
    }

    /// Returns the name with a number, for another guest of the same system.
    pub fn numbered(&self, number: usize) -> Self {
        Self(format!("{}-{number}", self.0))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GuestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_folders_and_units_are_accepted() {
        for name in ["vm1", "a", "Kernel_6.12-rc1", &"x".repeat(40)] {
            assert_eq!(GuestName::new(name).expect("valid").as_str(), name);
        }
        for name in [
            "",
            "a b",
            "a/b",
            "..",
            "-x",
            ".x",
            "é",
            "a\n",
            &"x".repeat(41),
        ] {
            GuestName::new(name).expect_err(name);
        }
    }

    #[test]
    fn any_text_becomes_a_valid_name() {
        for text in ["", "a b/c", "../x", "é", &"x".repeat(100)] {
            let name = GuestName::from_text(text).numbered(999);
            GuestName::new(name.as_str()).expect("valid");
        }
        assert_eq!(GuestName::from_text("my host").as_str(), "my-host");
    }
}
