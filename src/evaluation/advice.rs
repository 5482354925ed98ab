//! What to do about the errors of an evaluation that people meet most.
//!
//! Takes libnix's words, which it knows by the shape that Nix and nixpkgs give them; returns hints, and which of the words
//! are worth showing. It evaluates nothing; names that only the host knows are handed in.

use super::Request;
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
        "a function in it cannot be forced deeply: --without PATH leaves one attribute out, --shallow forces nothing below it",
    ),
    (
        &["max-call-depth", "stack overflow"],
        "a function calls itself without an end",
    ),
    (
        &["allow-import-from-derivation"],
        "--allow-ifd lets a dry run build what evaluation needs",
    ),
    (
        &["defined multiple times while it's expected to be unique"],
        "only one module may set it: leave one of them off, or have one yield with lib.mkDefault",
    ),
    (
        &["is read-only, but it's set multiple times"],
        "no module may set this option: take the line out of the module",
    ),
    (
        &["is used but not defined"],
        "the option has no default: set it, in the module or in the host's configuration",
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
        &["attribute 'currentTime'", "attribute 'currentSystem'"],
        "evaluation is pure and knows neither time nor machine: --impure shows them to it, and nothing is cached then",
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
        &[
            "called without required argument",
            "called with unexpected argument",
        ],
        "the function wants other arguments than it is given; one that is to ignore the rest ends them with ...",
    ),
    (
        &["is marked as broken"],
        "choose another package; where you know better: nixpkgs.config.allowBroken = true;",
    ),
    (
        &["is not available on the requested hostPlatform"],
        "the package is not for this kind of machine: choose another one",
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
        &[
            "expected a set but found",
            "does not look like a module",
            "Expected a module",
        ],
        "a module is a set of options, or a function that returns one: { pkgs, ... }: { … }",
    ),
];

/// What to do about an error.
pub(super) fn hints(request: &Request, error: &NixError) -> Vec<String> {
    let message = error.message.trim();
    let known = known_hint(KNOWN, message).map(String::from);
    let mut hints: Vec<String> = known.into_iter().collect();
    hints.extend(collision(request, message));
    hints.extend(wrong_type(message));
    hints.extend(refused_package(message));
    hints.extend(missing_attribute(error));
    hints.extend(unknown_file(request, message));
    hints
}

/// The lines of a message that are worth showing: what nixpkgs advises about a package that it refuses is for other
/// programs, and is said in other words here.
pub(super) fn worth_showing(message: &str) -> impl Iterator<Item = &str> {
    let refuses = message.contains("refusing to evaluate");
    message
        .trim()
        .lines()
        .enumerate()
        .filter(move |(number, line)| !refuses || *number == 0 || line.starts_with(" - "))
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
        format!("{} has: {}", parents.join("."), beside.join(", "))
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
    let forced = "lib.mkForce VALUE wins over all others, lib.mkDefault VALUE yields to them";
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

/// A package that nixpkgs refuses, and the setting that allows it.
fn refused_package(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("Package ‘")?;
    let (name, why) = rest.split_once('’')?;
    if why.contains("has an unfree license") {
        Some(format!(
            "allow it, in the module or in the host's configuration: nixpkgs.config.allowUnfreePredicate = pkg: builtins.elem (lib.getName pkg) [ \"{}\" ]; or all: nixpkgs.config.allowUnfree = true;",
            without_version(name)
        ))
    } else if why.contains("is marked as insecure") {
        Some(format!(
            "if you can live with that, in the module or in the host's configuration: nixpkgs.config.permittedInsecurePackages = [ \"{name}\" ];"
        ))
    } else {
        None
    }
}

/// A package's name without its version, as `lib.getName` has it: up to the first dash that no letter follows.
fn without_version(name: &str) -> &str {
    let dashes = name.match_indices('-');
    let version = dashes.map(|(at, _)| at).find(|at| {
        name[at + 1..]
            .chars()
            .next()
            .is_some_and(|c| !c.is_alphabetic())
    });
    version.map_or(name, |at| &name[..at])
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

/// A file that git does not know: what is evaluated is a copy in the store, and does not have it.
fn unknown_file(request: &Request, message: &str) -> Option<String> {
    let flake = &request.flake;
    let is_git = !flake.url.starts_with("path:")
        || flake.reference.contains("&rev=")
        || !flake.extra.is_empty();
    let missing = message.starts_with("path '") && message.contains("does not exist");
    let missing = missing || message.contains("No such file");
    let alone = request.extras.iter().any(|extra| extra.path.is_some());
    if alone && (missing || message.contains("is forbidden in pure evaluation")) {
        Some("a file that --module names is taken in by itself: where it imports others, name its folder, with a default.nix".into())
    } else if !missing {
        None
    } else if flake.file.is_some() {
        Some("is the name spelt right, and is the file there, and may this user read it?".into())
    } else if is_git {
        Some("a file that git does not know is not part of the flake: git add -N FILE".into())
    } else {
        Some("is the name spelt right, and is the file inside the flake's folder?".into())
    }
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
    fn names_lose_their_versions() {
        assert_eq!(without_version("steam-original-1.0.0.79"), "steam-original");
        assert_eq!(without_version("openssl-1.1.1w"), "openssl");
        assert_eq!(without_version("plain"), "plain");
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
