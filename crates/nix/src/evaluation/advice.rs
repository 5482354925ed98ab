//! Hints for the most frequent evaluation errors.
//!
//! Takes messages from libnix, and recognises them by the wording of Nix and nixpkgs. Returns
//! hints, and the lines of the message that are worth showing. This module evaluates nothing; the
//! caller passes the names of the host's options.

use super::{EvaluationRequest, missing_argument, missing_file, packages};
use crate::error::{KnownError, known_hint};
use crate::libnix::NixError;
use crate::registry::nearest;

/// Known errors: the parts of the message that identify each error, and its hint.
pub(super) const KNOWN: &[KnownError] = &[
    (
        &["infinite recursion"],
        "look for a value that depends on itself: a module may read an option to compute its imports, or to set the same option",
    ),
    (
        &[
            "cannot convert a function to JSON",
            "cannot convert the built-in function",
            "cannot convert the partially applied built-in function",
        ],
        "Nix found a function where it expected data: the function probably needs to be called",
    ),
    (
        &["max-call-depth", "stack overflow"],
        "look for infinite recursion; if the deep recursion is intended, raise the limit with --option max-call-depth NUMBER (default: 10000)",
    ),
    (
        &["allow-import-from-derivation"],
        "use --option allow-import-from-derivation true to let evaluation build what it imports",
    ),
    (
        &["defined multiple times while it's expected to be unique"],
        "leave one of the modules disabled, or remove all but one definition; a definition with lib.mkDefault does not count if there is an ordinary one",
    ),
    (
        &["is read-only, but it's set multiple times"],
        "remove the definition from the module: NixOS or the host already sets this read-only option",
    ),
    (
        &["is used but not defined"],
        "set the option in the module or in the host, or enable the option that would set it",
    ),
    (
        &["access to absolute path"],
        "add the file to the flake, make its folder an input, or allow access to it for this run with --impure, which disables caching",
    ),
    (
        &[
            "in pure evaluation mode",
            "in pure evaluation mode (use '--impure' to override)",
            "is forbidden in pure",
            "on unlocked flake reference",
        ],
        "pin the source with a commit hash or a content hash, make it an input of the flake, or allow it for this run with --impure, which disables caching",
    ),
    (
        &["was not found in the Nix search path"],
        "add the folder to NIX_PATH, or use --option nix-path NAME=FOLDER",
    ),
    (
        &["attribute 'currentSystem'"],
        "use pkgs.stdenv.hostPlatform.system or a fixed system instead of builtins.currentSystem, or use --impure for this run, which disables caching",
    ),
    (
        &["attribute 'currentTime'"],
        "remove builtins.currentTime, which pure evaluation does not provide, or use --impure for this run, which disables caching",
    ),
    (
        &["hash mismatch in file downloaded"],
        "if the downloaded file is correct, replace the expected hash with the actual one",
    ),
    (
        &["undefined variable"],
        "check the spelling; if the name is a module argument such as pkgs, add it to the arguments of the module, as in `{ pkgs, ... }:`; if it is a package, look up its name on search.nixos.org/packages",
    ),
    (
        &["called without required argument"],
        "pass the missing argument in the call, or give it a default in the function",
    ),
    (
        &["called with unexpected argument"],
        "if the function is a module, add `...` to its arguments, as in `{ pkgs, ... }:`; otherwise, remove the argument from the call",
    ),
    (
        &["is not available on the requested hostPlatform"],
        "choose another package: nixpkgs does not offer this one for this platform",
    ),
    (
        &["No space left on device", "disk is full"],
        "free some space on the disk of the store or of Nix's cache (see `df`), and run the command again; nothing was changed",
    ),
    (
        &["services.runtimeModules.modules` has invalid entries"],
        "correct services.runtimeModules.modules in the host's configuration",
    ),
    (
        &["is already declared in"],
        "leave one of the modules disabled, or rename the option in one of them; to replace a module of NixOS, add it to disabledModules",
    ),
    (
        &["would be a parent of the following options"],
        "choose another name for the option: NixOS uses this one for a set of options; to replace a module of NixOS, add it to disabledModules",
    ),
    (
        &["The option `imports' does not exist"],
        "move imports to the top level of the module, and put the settings of the imported file, not its import, under lib.mkIf",
    ),
    (
        &["expected a list but found a set: { _type = \"if\""],
        "replace lib.mkIf with a plain list; in imports, import the file unconditionally, and put its settings under lib.mkIf",
    ),
    (
        &["does not look like a module", "Expected a module"],
        "write the module as an attribute set, or as a function that returns one: { pkgs, ... }: { … }",
    ),
    (
        &["expected a set but found"],
        "write an attribute set here; a module must be an attribute set, or a function that returns one",
    ),
];

/// Returns the hints for an error.
pub(super) fn hints(request: &EvaluationRequest, error: &NixError) -> Vec<String> {
    let message = error.message.trim();
    let mut hints: Vec<String> = missing_argument::hint(error).into_iter().collect();
    if hints.is_empty() {
        hints = packages::hints(message);
    }
    if hints.is_empty() {
        let known = || known_hint(KNOWN, message).map(String::from);
        hints.extend(in_this_run(request, message).or_else(known));
    }
    hints.extend(collision(request, message));
    hints.extend(wrong_type(message));
    hints.extend(missing_attribute(error));
    hints.extend(missing_file::hint(request, message));
    hints
}

/// Returns a hint for an error that another command-line option would avoid.
fn in_this_run(request: &EvaluationRequest, message: &str) -> Option<String> {
    let measured = request
        .measure
        .as_ref()
        .is_some_and(|measure| measure.forced.is_some());
    if measured && message.contains("cannot convert") && message.contains("function") {
        return Some("leave out the attribute that contains a function with --without PATH, or force only the top of the value with --shallow".into());
    }
    let forbidden = !request.settings.allow_import_from_derivation;
    (forbidden && message.contains("allow-import-from-derivation")).then(|| {
        "use --allow-ifd to let a dry run build the derivations that evaluation needs".into()
    })
}

/// Returns the lines of a message that are worth showing. Omits two kinds of advice from nixpkgs,
/// which our hints replace:
/// - the advice about a refused package, which is for other programs
/// - the advice to set a priority for an option of `nixpkgs`, which would silently drop a
///   definition
pub(super) fn worth_showing(message: &str) -> impl Iterator<Item = &str> {
    let refuses = packages::is_refusal(message);
    let of_nixpkgs = message.trim().starts_with("The option `nixpkgs.");
    message
        .trim()
        .lines()
        .enumerate()
        // In newer releases of nixpkgs, the advice is also a list, so stop before it.
        .take_while(move |(_, line)| !refuses || !line.starts_with("See also"))
        .filter(move |(number, line)| !refuses || *number == 0 || is_fact(line.trim_start()))
        .filter(move |(_, line)| !of_nixpkgs || !line.starts_with("Use `lib.mkForce value`"))
        .map(|(_, line)| line)
}

/// Returns whether a line of a package refusal is a fact about the package, and not advice.
fn is_fact(line: &str) -> bool {
    ["- ", "hostPlatform.", "package.meta."]
        .iter()
        .any(|start| line.starts_with(start))
}

/// Returns whether the message itself names the files that cause the error.
pub(super) fn names_files(message: &str) -> bool {
    message.contains("\n- In `") || packages::is_refusal(message)
}

/// Returns the path of the option that a message reports as missing.
pub(super) fn missing_option(message: &str) -> Option<Vec<String>> {
    let rest = message.trim().strip_prefix("The option `")?;
    let (path, _) = rest.split_once("' does not exist")?;
    Some(option_path(path))
}

/// Suggests options with a similar name, or lists a few options. `beside` contains the names of the
/// options in the same set.
pub(super) fn meant(path: &[String], siblings: &[String]) -> String {
    const SHOWN: usize = 20;
    let (last, parents) = path
        .split_last()
        .map_or(("", &[][..]), |(last, parents)| (last.as_str(), parents));
    let shown = |name: &str| -> String {
        let whole: Vec<&str> = parents
            .iter()
            .map(String::as_str)
            .chain(std::iter::once(name))
            .collect();
        whole.join(".")
    };
    let close = nearest(last, siblings);
    if !close.is_empty() {
        let close: Vec<String> = close.into_iter().map(shown).collect();
        format!("did you mean {}?", close.join(" or "))
    } else if !siblings.is_empty() && siblings.len() <= SHOWN {
        match parents {
            [] => format!("use one of the top-level options: {}", siblings.join(", ")),
            parents => format!(
                "use one of the options in {}: {}",
                parents.join("."),
                siblings.join(", ")
            ),
        }
    } else {
        "check that the module that declares the option is imported; see `man configuration.nix` for the options of NixOS".into()
    }
}

/// Splits an option path of a message into names: `a."b.c".d`, `list.[definition 1-entry 2].x`.
fn option_path(text: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut closing = None;
    for c in text.chars() {
        match (c, closing) {
            ('"' | ']', Some(end)) if c == end => closing = None,
            ('"', None) => closing = Some('"'),
            ('[', None) => closing = Some(']'),
            ('.', None) => names.push(String::new()),
            _ => names.last_mut().expect("names is never empty").push(c),
        }
    }
    names
}

/// Returns a hint that names the modules with the conflicting definitions.
fn collision(request: &EvaluationRequest, message: &str) -> Option<String> {
    message
        .contains("conflicting definition values")
        .then_some(())?;
    let files: Vec<&str> = message
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- In `"))
        .filter_map(|rest| rest.split_once('\'').map(|(file, _)| file))
        .collect();
    let defines = |file: &str| files.iter().any(|one| one.ends_with(&format!("/{file}")));
    let guilty: Vec<&str> = request
        .modules
        .iter()
        .filter(|module| module.file.as_deref().is_some_and(defines))
        .map(|module| module.name.as_str())
        .collect();
    let forced = "use lib.mkForce VALUE to override ordinary definitions, or lib.mkDefault VALUE to let them override it";
    Some(match guilty.as_slice() {
        [] => forced.to_string(),
        [one] => format!(
            "in the file of {one}, whose value differs from the rest of the configuration, {forced}"
        ),
        several => format!(
            "enable only one of {}; to enable both, change the definition in one of their files: {forced}",
            several.join(", ")
        ),
    })
}

fn wrong_type(message: &str) -> Option<String> {
    let rest = message.strip_prefix("A definition for option `")?;
    let (option, rest) = rest.split_once("' is not of type `")?;
    let kind = rest.split_once("'. ").map_or(rest, |(kind, _)| kind);
    // An element of a list has no path, so name the list.
    Some(match option.split_once(".\"[definition ") {
        Some((list, _)) => format!("use values of this type in {list}: {kind}"),
        None => format!("set {option} to a value of this type: {kind}"),
    })
}

/// Returns a hint for a missing attribute. The rendered error may suggest a similar name.
fn missing_attribute(error: &NixError) -> Option<String> {
    let name = error
        .message
        .trim()
        .strip_prefix("attribute '")?
        .strip_suffix("' missing")?;
    let asked = error
        .rendered
        .lines()
        .find_map(|line| line.trim().strip_prefix("Did you mean "));
    if let Some(close) = asked {
        return Some(format!("did you mean {close}"));
    }
    let of_packages = error.rendered.contains(&format!("pkgs.{name}"));
    of_packages.then(|| {
        format!("look for another name of the package {name} at search.nixos.org/packages, or update nixpkgs and run `runtime-module rebuild`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_string()).collect()
    }

    #[test]
    fn option_paths_of_messages_are_split() {
        assert_eq!(
            option_path(r#"services.nginx.virtualHosts."a.b".x"#),
            ["services", "nginx", "virtualHosts", "a.b", "x"]
        );
        assert_eq!(
            option_path("a.[definition 1-entry 2].b"),
            ["a", "definition 1-entry 2", "b"]
        );
    }

    #[test]
    fn similar_options_or_all_of_a_few_are_suggested() {
        let path = names(&["networking", "hostNmae"]);
        assert_eq!(
            meant(&path, &names(&["domain", "hostName"])),
            "did you mean networking.hostName?"
        );
        assert_eq!(
            meant(&names(&["a", "zzz"]), &names(&["b", "c"])),
            "use one of the options in a: b, c"
        );
        assert!(meant(&path, &[]).starts_with("check that the module"));
    }

    #[test]
    fn advice_of_nixpkgs_about_packages_is_hidden() {
        let message = "Package ‘x-1’ in a.nix:3 is marked as insecure, refusing to evaluate.\n\n\nKnown issues:\n - CVE-1\n\nYou can install it anyway\n";
        assert_eq!(
            worth_showing(message).collect::<Vec<_>>(),
            [
                "Package ‘x-1’ in a.nix:3 is marked as insecure, refusing to evaluate.",
                " - CVE-1"
            ]
        );
    }
}
