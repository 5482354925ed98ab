//! Explains a module argument that is not passed to the module.
//!
//! Takes libnix's error; returns a hint. The trace of the module system names the module and the
//! argument.

use super::trees::in_source;
use crate::libnix::NixError;
use crate::registry::nearest;

/// Arguments that every NixOS module gets.
const PASSED: [&str; 6] = ["config", "lib", "modulesPath", "options", "pkgs", "utils"];

/// Returns a hint if a module argument is missing, or is used in `imports` before it is available.
pub(super) fn hint(error: &NixError) -> Option<String> {
    let message = error.message.trim();
    let recursion = message.starts_with("infinite recursion");
    let (name, file) = asked_for(error)?;
    let file = in_source(&file);
    if recursion && PASSED.contains(&name.as_str()) {
        return Some(format!(
            "the imports of {file} depend on {name}, which is known only after all imports: use only arguments from specialArgs in imports, and put settings that depend on {name} under lib.mkIf"
        ));
    }
    if !recursion && !is_missing(message, &name) {
        return None;
    }
    let passed: Vec<String> = PASSED.iter().map(ToString::to_string).collect();
    let close = nearest(&name, &passed);
    if let Some(meant) = close.first().filter(|_| !recursion) {
        return Some(format!(
            "{file} takes the argument `{name}`, which is not available: did you mean {meant}?"
        ));
    }
    let problem = match recursion {
        true => format!(
            "{file} uses the argument `{name}` in its imports, which can use only specialArgs"
        ),
        false => format!("{file} takes the argument `{name}`, which is not available"),
    };
    Some(format!(
        "{problem}: in the definition of the host, pass specialArgs = {{ inherit {name}; }}"
    ))
}

fn is_missing(message: &str, name: &str) -> bool {
    message == format!("attribute '{name}' missing")
        || message.contains(&format!("without required argument '{name}'"))
}

/// Returns the last module argument in the trace, and the file of the module.
fn asked_for(error: &NixError) -> Option<(String, String)> {
    let hints = error.traces.iter().rev().map(|trace| trace.hint.as_str());
    let rest = hints
        .filter_map(|hint| hint.strip_prefix("while evaluating the module argument `"))
        .next()?;
    let (name, rest) = rest.split_once('\'')?;
    let file = rest.split(['"', '`', '\'']).nth(1)?;
    Some((name.into(), file.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(message: &str, argument: &str) -> NixError {
        let hint = format!(
            "while evaluating the module argument `{argument}' in \"/nix/store/{}-source/host.nix\":",
            "a".repeat(32)
        );
        let traces = serde_json::json!([{ "hint": hint, "position": null }]);
        NixError {
            message: message.into(),
            traces: serde_json::from_value(traces).expect("traces"),
            ..NixError::default()
        }
    }

    #[test]
    fn argument_and_module_are_named() {
        let found = hint(&error("attribute 'inputs' missing", "inputs")).expect("a hint");
        assert!(
            found.starts_with("host.nix takes the argument `inputs`"),
            "{found}"
        );
        assert!(
            found.ends_with("specialArgs = { inherit inputs; }"),
            "{found}"
        );
        let recursion = hint(&error("infinite recursion encountered", "inputs")).expect("a hint");
        assert!(recursion.contains("in its imports"), "{recursion}");
        let pkgs = hint(&error("infinite recursion encountered", "pkgs")).expect("a hint");
        assert!(
            pkgs.starts_with("the imports of host.nix depend on pkgs"),
            "{pkgs}"
        );
    }

    #[test]
    fn misspelt_argument_gets_a_suggestion() {
        let slip = hint(&error("attribute 'confg' missing", "confg")).expect("a hint");
        assert!(slip.ends_with("did you mean config?"), "{slip}");
        assert_eq!(hint(&error("attribute 'x' missing", "pkgs")), None);
    }
}
