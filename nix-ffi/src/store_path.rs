//! Store paths whose syntax has been checked.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use nix_types::NixError;

/// The number of digits in the hash part of a store path.
const HASH_DIGITS: usize = 32;

/// The digits of Nix's base 32: no `e`, `o`, `t` and `u`.
const BASE_32: &str = "0123456789abcdfghijklmnpqrsvwxyz";

/// The punctuation that a name may contain besides ASCII letters and digits.
const PUNCTUATION: &str = "+-._?=";

/// The maximum length of a name (NixOS/nix, `StorePath::MaxPathLen`).
const NAME_LENGTH: usize = 211;

/// The path of a file or folder directly in a Nix store, such as
/// `/nix/store/00000000000000000000000000000000-hello-1.0`. Cheap to clone.
///
/// The syntax is valid. The path need not exist, and only a store knows whether it is in the folder
/// of that store.
#[doc(alias = "nix::StorePath")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorePath(Arc<str>);

impl StorePath {
    /// Checks the syntax: an absolute folder, 32 digits of Nix's base 32, a dash and a name.
    pub fn parse(text: &str) -> Result<Self, InvalidStorePath> {
        match violation(text) {
            None => Ok(Self(text.into())),
            Some(violation) => Err(InvalidStorePath {
                text: text.into(),
                violation,
            }),
        }
    }

    /// Parses several store paths.
    pub fn parse_all(texts: &[impl AsRef<str>]) -> Result<Vec<Self>, InvalidStorePath> {
        texts
            .iter()
            .map(|text| Self::parse(text.as_ref()))
            .collect()
    }

    /// Returns the full path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns the first violation of the syntax.
fn violation(text: &str) -> Option<SyntaxViolation> {
    let Some((folder, base)) = text
        .strip_prefix('/')
        .and_then(|relative| relative.rsplit_once('/'))
    else {
        return Some(SyntaxViolation::Folder);
    };
    // `..` and empty parts would give one path several spellings.
    let is_plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    if !folder.split('/').all(is_plain) {
        return Some(SyntaxViolation::Folder);
    }
    let Some((hash, name)) = base.split_once('-') else {
        return Some(SyntaxViolation::Dash);
    };
    if let Some(digit) = hash.chars().find(|digit| !BASE_32.contains(*digit)) {
        return Some(SyntaxViolation::HashDigit(digit));
    }
    if hash.len() != HASH_DIGITS {
        return Some(SyntaxViolation::HashLength(hash.len()));
    }
    let is_allowed = |c: &char| c.is_ascii_alphanumeric() || PUNCTUATION.contains(*c);
    if let Some(character) = name.chars().find(|c| !is_allowed(c)) {
        return Some(SyntaxViolation::NameCharacter(character));
    }
    if name.is_empty() || name.len() > NAME_LENGTH {
        return Some(SyntaxViolation::NameLength(name.len()));
    }
    // Nix refuses names whose first component between dashes looks like a folder.
    let first = name.split('-').next();
    matches!(first, Some("." | "..")).then_some(SyntaxViolation::NameDots)
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for StorePath {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<Path> for StorePath {
    fn as_ref(&self) -> &Path {
        Path::new(self.as_str())
    }
}

impl From<StorePath> for String {
    fn from(path: StorePath) -> Self {
        path.as_str().into()
    }
}

/// The reason why a text is not a store path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidStorePath {
    text: String,
    violation: SyntaxViolation,
}

/// A violation of the syntax of store paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SyntaxViolation {
    /// The path is not absolute, consists of a single component, or its folder has an empty
    /// component, `.`, `..` or a NUL byte.
    Folder,
    /// There is no dash after the folder.
    Dash,
    /// The hash has this many digits.
    HashLength(usize),
    /// The hash has a character that is not a Nix base-32 digit.
    HashDigit(char),
    /// The name has this many characters.
    NameLength(usize),
    /// The name begins with the component `.` or `..`.
    NameDots,
    /// The name has a character that is not allowed.
    NameCharacter(char),
}

impl fmt::Display for InvalidStorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a store path: ", self.text)?;
        match self.violation {
            SyntaxViolation::Folder => {
                write!(f, "the path does not have the form /FOLDER/HASH-NAME")
            }
            SyntaxViolation::Dash => write!(f, "no dash separates the hash from the name"),
            SyntaxViolation::HashLength(count) => {
                write!(f, "the hash has {count} digits instead of {HASH_DIGITS}")
            }
            SyntaxViolation::HashDigit(digit) => {
                write!(
                    f,
                    "the hash contains {digit:?}, which is not a Nix base-32 digit"
                )
            }
            SyntaxViolation::NameLength(0) => write!(f, "the name is empty"),
            SyntaxViolation::NameLength(count) => {
                write!(
                    f,
                    "the name has {count} characters; the maximum is {NAME_LENGTH}"
                )
            }
            SyntaxViolation::NameDots => write!(f, "the first component of the name is . or .."),
            SyntaxViolation::NameCharacter(c) => write!(f, "the name contains {c:?}"),
        }
    }
}

impl std::error::Error for InvalidStorePath {}

impl From<InvalidStorePath> for NixError {
    fn from(error: InvalidStorePath) -> Self {
        Self::ours(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "0123456789abcdfghijklmnpqrsvwxyz";

    #[test]
    fn valid_store_paths_are_kept_unchanged() {
        for path in [
            format!("/nix/store/{HASH}-hello"),
            format!("/tmp/a store/{HASH}-glibc-2.40+x_y?z=1.drv"),
            format!("/s/{HASH}-.hidden"),
            format!("/s/{HASH}-..."),
            format!("/s/{HASH}--"),
            format!("/s/{HASH}-{}", "x".repeat(211)),
        ] {
            let parsed = StorePath::parse(&path).expect("a store path");
            assert_eq!(parsed.as_str(), path);
            assert_eq!(parsed.to_string(), path);
            assert_eq!(String::from(parsed.clone()), path);
            assert_eq!(AsRef::<Path>::as_ref(&parsed), Path::new(&path));
        }
    }

    #[test]
    fn invalid_store_paths_are_refused_with_reasons() {
        let folder = "the path does not have the form /FOLDER/HASH-NAME";
        for (path, reason) in [
            (String::new(), folder),
            ("/".into(), folder),
            (format!("{HASH}-x"), folder),
            (format!("/{HASH}-x"), folder),
            (format!("nix/store/{HASH}-x"), folder),
            (format!("/nix//store/{HASH}-x"), folder),
            (format!("/nix/../store/{HASH}-x"), folder),
            (format!("/n\0x/{HASH}-x"), folder),
            (
                "/nix/store/short".into(),
                "no dash separates the hash from the name",
            ),
            (
                format!("/nix/store/{HASH}-x/"),
                "no dash separates the hash from the name",
            ),
            (
                "/nix/store/0123-x".into(),
                "the hash has 4 digits instead of 32",
            ),
            (
                format!("/nix/store/{HASH}0-x"),
                "the hash has 33 digits instead of 32",
            ),
            (
                format!("/nix/store/e{}-x", &HASH[1..]),
                "the hash contains 'e', which is not a Nix base-32 digit",
            ),
            (
                format!("/nix/store/A{}-x", &HASH[1..]),
                "the hash contains 'A', which is not a Nix base-32 digit",
            ),
            (format!("/nix/store/{HASH}-"), "the name is empty"),
            (
                format!("/nix/store/{HASH}-{}", "x".repeat(212)),
                "the name has 212 characters; the maximum is 211",
            ),
            (
                format!("/nix/store/{HASH}-."),
                "the first component of the name is . or ..",
            ),
            (
                format!("/nix/store/{HASH}-..-x"),
                "the first component of the name is . or ..",
            ),
            (format!("/nix/store/{HASH}-a b"), "the name contains ' '"),
            (format!("/nix/store/{HASH}-\u{e4}"), "the name contains 'ä'"),
            (format!("/nix/store/{HASH}-a\0"), "the name contains '\\0'"),
        ] {
            let error = StorePath::parse(&path).expect_err(&path).to_string();
            assert_eq!(error, format!("{path:?} is not a store path: {reason}"));
        }
    }

    #[test]
    fn path_below_a_store_path_is_refused() {
        assert!(StorePath::parse(&format!("/nix/store/{HASH}-x/bin")).is_err());
    }

    #[test]
    fn store_paths_are_compared_by_text() {
        let parse = |name: &str| StorePath::parse(&format!("/s/{HASH}-{name}")).expect("valid");
        assert_eq!(parse("a"), parse("a"));
        assert!(parse("a") < parse("b"));
        let set = std::collections::HashSet::from([parse("a"), parse("a"), parse("b")]);
        assert_eq!(set.len(), 2);
    }
}
