//! What to do about the errors of an evaluation that people meet most.
//!
//! Takes libnix's words, which it knows by the shape that Nix and nixpkgs give them; returns hints, and which of the words
//! are worth showing. It evaluates nothing; names that only the host knows are handed in.

use super::{Request, missing_argument, missing_file, packages};
use crate::error::{Known, known_hint};
use crate::libnix::NixError;
use crate::registry::nearest;

/// Errors that are known by a text, and what to do about each.
pub(super) const KNOWN: &[Known] = &[
    (
        &["infinite recursion"],
        "a value depends on itself: look for a module that reads an option in order to decide what it imports, or to set that same option",
    ),
    (
        &[
            "cannot convert a function to JSON",
            "cannot convert the built-in function",
            "cannot convert the partially applied built-in function",
        ],
        "a function stands where a value belongs: give it the arguments that it takes",
    ),
    (
        &["max-call-depth", "stack overflow"],
        "a function probably calls itself without end; if the depth is meant, --option max-call-depth NUMBER allows more than 10000",
    ),
    (
        &["allow-import-from-derivation"],
        "evaluation needs the output of a build, which a Nix setting forbids: --option allow-import-from-derivation true allows it",
    ),
    (
        &["defined multiple times while it's expected to be unique"],
        "only one definition may stand: leave one of the modules off, or take the definition out of one; lib.mkDefault makes one yield, and its value is then not used at all",
    ),
    (
        &["is read-only, but it's set multiple times"],
        "no module may set this option, because NixOS or the host does: take the definition out of the module",
    ),
    (
        &["is used but not defined"],
        "nothing gives this option a value: set it, in the module or in the host; if another option sets it, enable that",
    ),
    (
        &["access to absolute path"],
        "evaluation is pure and reads only the flake and its inputs: put the file into the flake, or make its folder an input; --impure allows it for this run, and nothing is cached then",
    ),
    (
        &[
            "in pure evaluation mode",
            "in pure evaluation mode (use '--impure' to override)",
            "is forbidden in pure",
            "on unlocked flake reference",
        ],
        "name what it needs with a hash or a revision, or make it an input of the flake; --impure allows it for this run, and nothing is cached then",
    ),
    (
        &["was not found in the Nix search path"],
        "name the folder in NIX_PATH, or with --option nix-path NAME=FOLDER",
    ),
    (
        &["attribute 'currentSystem'"],
        "evaluation is pure and does not know the machine: use pkgs.stdenv.hostPlatform.system, or write the system down; --impure shows it, and nothing is cached then",
    ),
    (
        &["attribute 'currentTime'"],
        "evaluation is pure and does not know the time; --impure shows it, and nothing is cached then",
    ),
    (
        &["hash mismatch in file downloaded"],
        "if the file is the one that is wanted, put the hash that was got where the other one stands",
    ),
    (
        &["undefined variable"],
        "a module is a function of what it uses, such as { config, lib, pkgs, ... }: is the name among its arguments?",
    ),
    (
        &["called without required argument"],
        "the call leaves out an argument that the function needs: pass it, or give it a default in the function",
    ),
    (
        &["called with unexpected argument"],
        "the function does not take an argument that it is given: leave that out of the call, or let the function ignore others with ...",
    ),
    (
        &["is marked as broken"],
        "choose another package; if it works for you all the same: nixpkgs.config.allowBroken = true;",
    ),
    (
        &["is not available on the requested hostPlatform"],
        "nixpkgs does not offer the package for this kind of machine: choose another one",
    ),
    (
        &["No space left on device", "disk is full"],
        "a disk is full, that of the store or that of Nix's cache (df): make room, then run this again; nothing was changed",
    ),
    (
        &["services.runtimeModules.modules` cannot be used"],
        "correct the host's configuration there",
    ),
    (
        &["is already declared in"],
        "two files declare the same option, so they cannot be used together: leave one module off, or, if one is to replace a module of NixOS, name that in disabledModules",
    ),
    (
        &["The option `imports' does not exist"],
        "imports stands at the top of a module and under no lib.mkIf: import the file always, and put what it sets under lib.mkIf",
    ),
    (
        &["expected a list but found a set: { _type = \"if\""],
        "lib.mkIf stands where a plain list is read; if that is imports, import the file always, and put what it sets under lib.mkIf",
    ),
    (
        &["does not look like a module", "Expected a module"],
        "a module is a set of options, or a function that returns one: { pkgs, ... }: { … }",
    ),
    (
        &["expected a set but found"],
        "a value of another kind stands where a set is read; if a module is meant, that is a set of options, or a function that returns one",
    ),
];

/// What to do about an error.
pub(super) fn hints(request: &Request, error: &NixError) -> Vec<String> {
    let message = error.message.trim();
    let special = missing_argument::hint(error)
        .or_else(|| packages::hint(message))
        .or_else(|| in_this_run(request, message));
    let known = special.or_else(|| known_hint(KNOWN, message).map(String::from));
    let mut hints: Vec<String> = known.into_iter().collect();
    hints.extend(collision(request, message));
    hints.extend(wrong_type(message));
    hints.extend(missing_attribute(error));
    hints.extend(missing_file::hint(request, message));
    hints
}

/// What to do about an error that comes from how the program was called.
fn in_this_run(request: &Request, message: &str) -> Option<String> {
    let measured = request
        .measure
        .as_ref()
        .is_some_and(|measure| measure.forced.is_some());
    if measured && message.contains("cannot convert") && message.contains("function") {
        return Some("a function in it cannot be forced deeply: --without PATH leaves one attribute out, --shallow forces nothing below it".into());
    }
    let forbidden = !request.settings.allow_import_from_derivation;
    (forbidden && message.contains("allow-import-from-derivation"))
        .then(|| "--allow-ifd lets a dry run build what evaluation needs".into())
}

/// The lines of a message that are worth showing. What nixpkgs advises about a package that it refuses is for other programs,
/// and for its own options a priority would silently drop a definition; both are said in other words here.
pub(super) fn worth_showing(message: &str) -> impl Iterator<Item = &str> {
    let refuses = message.contains("refusing to evaluate");
    let of_nixpkgs = message.trim().starts_with("The option `nixpkgs.");
    message
        .trim()
        .lines()
        .enumerate()
        .filter(move |(number, line)| !refuses || *number == 0 || line.starts_with(" - "))
        .filter(move |(_, line)| !of_nixpkgs || !line.starts_with("Use `lib.mkForce value`"))
        .map(|(_, line)| line)
}

/// Whether a message says itself in which files to look.
pub(super) fn names_files(message: &str) -> bool {
    message.contains("\n- In `") || message.contains("refusing to evaluate")
}

/// The path of an option that there is not.
pub(super) fn missing_option(message: &str) -> Option<Vec<String>> {
    let rest = message.trim().strip_prefix("The option `")?;
    let (path, _) = rest.split_once("' does not exist")?;
    Some(option_path(path))
}

/// Which option may have been meant, of those that stand beside it.
pub(super) fn meant(path: &[String], beside: &[String]) -> String {
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
    let close = nearest(last, beside);
    if !close.is_empty() {
        let close: Vec<String> = close.into_iter().map(shown).collect();
        format!("did you mean {}?", close.join(" or "))
    } else if !beside.is_empty() && beside.len() <= SHOWN {
        match parents {
            [] => format!("the options at the top are: {}", beside.join(", ")),
            parents => format!("{} has: {}", parents.join("."), beside.join(", ")),
        }
    } else {
        "is the module that declares it imported? `man configuration.nix` lists the options that there are".into()
    }
}

/// The names of an option as messages write it: `a."b.c".d`, `list.[definition 1-entry 2].x`.
fn option_path(text: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut closing = None;
    for c in text.chars() {
        match (c, closing) {
            ('"' | ']', Some(end)) if c == end => closing = None,
            ('"', None) => closing = Some('"'),
            ('[', None) => closing = Some(']'),
            ('.', None) => names.push(String::new()),
            _ => names.last_mut().expect("there is always one").push(c),
        }
    }
    names
}

/// Two definitions that contradict each other: whose they are, and how one may yield.
fn collision(request: &Request, message: &str) -> Option<String> {
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
    let forced = "lib.mkForce VALUE wins over ordinary definitions; lib.mkDefault VALUE yields to them, and is then not used";
    Some(match guilty.as_slice() {
        [] => forced.to_string(),
        [one] => format!(
            "{one} says another value than the rest of the configuration; in its file {forced}"
        ),
        several => format!(
            "turn on only one of {}; or in one of their files: {forced}",
            several.join(", ")
        ),
    })
}

fn wrong_type(message: &str) -> Option<String> {
    let rest = message.strip_prefix("A definition for option `")?;
    let (option, rest) = rest.split_once("' is not of type `")?;
    let kind = rest.split_once("'. ").map_or(rest, |(kind, _)| kind);
    Some(format!(
        "give {option} another value there: {kind} is what it takes"
    ))
}

/// An attribute that there is not: names close to it are in the text that Nix would print.
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
        format!("the packages of this source have no {name}: it may have another name there (search.nixos.org/packages), or come with a newer nixpkgs (`runtime-module rebuild`)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_string()).collect()
    }

    #[test]
    fn options_are_named_as_messages_write_them() {
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
    fn the_nearest_options_are_offered_or_all_of_a_few() {
        let path = names(&["networking", "hostNmae"]);
        assert_eq!(
            meant(&path, &names(&["domain", "hostName"])),
            "did you mean networking.hostName?"
        );
        assert_eq!(
            meant(&names(&["a", "zzz"]), &names(&["b", "c"])),
            "a has: b, c"
        );
        assert!(meant(&path, &[]).starts_with("is the module"));
    }

    #[test]
    fn nixpkgs_own_advice_about_packages_is_not_shown() {
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
