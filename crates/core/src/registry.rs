//! The known modules, with their descriptions, and suggestions for unknown names.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{ArgumentError, Failed};

/// The number of bytes at the start of a file in which to look for the first comment.
const HEAD: u64 = 4096;

/// The minimum similarity of a suggested name. Equal names have similarity 1.
const CLOSE: f64 = 0.75;

/// The maximum number of suggested names.
const OFFERED: usize = 3;

/// The option or flake output that declares a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The option `services.runtimeModules.modules` of the host.
    Option,
    /// The output `runtimeModules` of the flake.
    Output,
}

/// A known module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    pub name: String,
    /// The declared description, if there is one.
    pub description: Option<String>,
    pub origin: Origin,
    /// The absolute path of the module, if the module is a single file.
    pub file: Option<String>,
    /// The files that declare the module.
    pub declared: Vec<String>,
    /// Whether `check` skips the module.
    pub skip_validation: bool,
}

/// A module with which to extend a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModuleRequest {
    pub name: String,
    /// The file of the module, relative to the flake's source tree; `None` if the module is not a
    /// file in the flake.
    pub file: Option<String>,
    /// The option or output that declares the module; `None` if it is not known yet.
    pub origin: Option<Origin>,
}

impl ModuleRequest {
    /// Creates a request for a module by name. The origin of the module is not known yet.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            file: None,
            origin: None,
        }
    }
}

/// Returns the declared description of a module, or else the first line of the first comment in its
/// file.
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

/// Returns names that are similar to `name`, most similar first.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a String>) -> Vec<&'a str> {
    let mut close: Vec<(f64, &str)> = known
        .into_iter()
        .map(|other| (similarity(name, other), other.as_str()))
        .filter(|(closeness, _)| *closeness >= CLOSE)
        .collect();
    close.sort_by(|a, b| b.0.total_cmp(&a.0));
    close
        .into_iter()
        .take(OFFERED)
        .map(|(_, name)| name)
        .collect()
}

fn similarity(a: &str, b: &str) -> f64 {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    // Treat a substring like a spelling mistake: `gimp` matches `rt.gimp`.
    if a.len() > 2 && b.contains(&a) {
        return if b.starts_with(&a) { 0.96 } else { 0.9 };
    }
    // Jaro-Winkler does not recognise two swapped letters in a short name.
    let one_slip = a.len() > 1 && strsim::osa_distance(&a, &b) == 1;
    let close = strsim::jaro_winkler(&a, &b);
    if one_slip { close.max(0.95) } else { close }
}

/// Returns the error for unknown module names, with suggestions.
pub fn unknown_modules(names: &[String], known: &[String]) -> Failed {
    let shown = |name: &String| match name.is_empty() {
        true => "''".to_string(),
        false => name.clone(),
    };
    let mut failed = Failed::from(match names {
        [name] => ArgumentError::UnknownModule {
            module: shown(name),
        },
        names => ArgumentError::UnknownModules {
            modules: names.iter().map(shown).collect::<Vec<_>>().join(", "),
        },
    });
    for name in names {
        let close = nearest(name, known);
        if !close.is_empty() {
            failed = failed.hint(format!(
                "for '{name}', did you mean {}?",
                close.join(" or ")
            ));
        }
    }
    failed.hint("run `runtime-module list` to see all modules")
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
    fn first_comment_line_is_the_description() {
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
    fn only_similar_names_are_suggested() {
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
