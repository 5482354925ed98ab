//! The modules there are: names, descriptions, and which names are close to one that nobody has.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// How much of a file is read for its first comment, bytes.
const HEAD: u64 = 4096;

/// Names closer than this are offered for one that nobody has (1 is the same name).
const CLOSE: f64 = 0.75;

/// How many names are offered.
const OFFERED: usize = 3;

/// Where a module is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// `services.runtimeModules.modules` of the host.
    Option,
    /// `runtimeModules` of the flake.
    Output,
}

/// A module that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    /// Its name.
    pub name: String,
    /// What it is for, where that is declared.
    pub description: Option<String>,
    /// Where it is declared.
    pub origin: Origin,
    /// Its file, absolute; none where it is not one file.
    pub file: Option<String>,
    /// Files that declare it.
    pub declared: Vec<String>,
    /// Whether checks pass it over.
    pub skip_validation: bool,
}

/// What a module is for: as declared, or else the first line of the first comment of its file.
pub fn description(module: &Registered) -> Option<String> {
    module
        .description
        .clone()
        .or_else(|| first_comment(Path::new(module.file.as_ref()?)))
}

fn first_comment(file: &Path) -> Option<String> {
    let head = File::open(file).ok()?.take(HEAD);
    let mut in_block = false;
    for line in BufReader::new(head).lines() {
        let line = line.ok()?;
        let mut line = line.trim();
        if let Some(rest) = line.strip_prefix("/*") {
            in_block = true;
            line = rest.trim_start_matches('*');
        }
        let text = if in_block {
            line.split("*/").next().unwrap_or_default()
        } else if line.is_empty() {
            line
        } else {
            line.strip_prefix('#')?
        };
        if !text.trim().is_empty() {
            return Some(text.trim().to_string());
        }
        if line.contains("*/") {
            in_block = false;
        }
    }
    None
}

/// Names that are close to `name`, the closest first.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a String>) -> Vec<&'a str> {
    let mut close: Vec<(f64, &str)> = known
        .into_iter()
        .map(|other| (closeness(name, other), other.as_str()))
        .filter(|(closeness, _)| *closeness >= CLOSE)
        .collect();
    close.sort_by(|a, b| b.0.total_cmp(&a.0));
    close
        .into_iter()
        .take(OFFERED)
        .map(|(_, name)| name)
        .collect()
}

fn closeness(a: &str, b: &str) -> f64 {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    // A part of a name is as good as a typing error: `gimp` for `rt.gimp`.
    if a.len() > 2 && b.contains(&a) {
        return if b.starts_with(&a) { 0.96 } else { 0.9 };
    }
    // Of short names Jaro-Winkler sees no two letters that changed places.
    let one_slip = a.len() > 1 && strsim::osa_distance(&a, &b) == 1;
    let close = strsim::jaro_winkler(&a, &b);
    if one_slip { close.max(0.95) } else { close }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comment_of(text: &str) -> Option<String> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("m.nix");
        std::fs::write(&file, text).expect("written");
        first_comment(&file)
    }

    #[test]
    fn the_first_comment_line_describes() {
        assert_eq!(
            comment_of("# A web server.\n{ }").as_deref(),
            Some("A web server.")
        );
        assert_eq!(
            comment_of("\n/*\n  A web server.\n  More. */\n{ }").as_deref(),
            Some("A web server.")
        );
        assert_eq!(
            comment_of("/* A web server. */ { }\n").as_deref(),
            Some("A web server.")
        );
        assert_eq!(comment_of("{ }\n# late"), None);
        assert_eq!(comment_of(""), None);
    }

    #[test]
    fn close_names_are_offered_and_others_not() {
        let known = [
            "hello".to_string(),
            "help".to_string(),
            "web".to_string(),
            "rt.gimp".to_string(),
        ];
        assert_eq!(nearest("helo", &known), ["hello", "help"]);
        assert_eq!(nearest("gimp", &known), ["rt.gimp"]);
        assert_eq!(nearest("wbe", &known), ["web"]);
        assert_eq!(nearest("we", &known), ["web"]);
        assert!(nearest("zzz", &known).is_empty());
    }
}
