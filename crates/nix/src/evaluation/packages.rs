//! Explains nixpkgs' errors about packages.
//!
//! Takes libnix's message; returns a hint that keeps the other settings of the configuration.

/// The location to change, if the host defines its packages itself.
const OUTSIDE: &str = "where the host defines its packages (the value of nixpkgs.pkgs)";

/// Returns a hint, if the message is about packages.
pub(super) fn hint(message: &str) -> Option<String> {
    read_only(message).or_else(|| refused(message))
}

/// Explains an option of `nixpkgs` on a host whose packages are defined outside the module system.
/// On such a host, a definition has no effect, or is silently dropped if another one takes
/// precedence.
fn read_only(message: &str) -> Option<String> {
    let rest = message.trim().strip_prefix("The option `nixpkgs.")?;
    let (option, rest) = rest.split_once('\'')?;
    let set_twice = rest.contains("expected to be unique")
        || rest.contains("read-only")
        || rest.contains("conflicting definition values");
    set_twice.then_some(())?;
    let option = option.split('.').next().unwrap_or(option);
    Some(match option {
        "overlays" => format!(
            "the packages of this host are read-only, and a module cannot add overlays: add them {OUTSIDE}, as import nixpkgs {{ overlays = [ … ]; }}; overriding either definition would drop an overlay"
        ),
        "config" => format!(
            "the packages of this host are read-only, so a module cannot configure them: pass the config {OUTSIDE}, for example import nixpkgs {{ config = {{ … }}; }}"
        ),
        "hostPlatform" | "buildPlatform" | "system" | "localSystem" | "crossSystem" | "pkgs" => {
            format!(
                "the host determines its packages and their platform: remove the definition from the module, or change it {OUTSIDE}"
            )
        }
        _ => return None,
    })
}

/// Returns whether nixpkgs refuses a package. The first text is that of nixpkgs 25.11 and older.
pub(super) fn is_refusal(message: &str) -> bool {
    message.contains("refusing to evaluate") || message.contains(REFUSES)
}

const REFUSES: &str = "Refusing to evaluate package '";

/// Explains a package that nixpkgs refuses, with the setting that allows it.
fn refused(message: &str) -> Option<String> {
    let (name, why) = match message.split_once(REFUSES) {
        Some((_, rest)) => rest.split_once('\'')?,
        None => message.split_once("Package ‘")?.1.split_once('’')?,
    };
    let config = if why.contains("has an unfree license") {
        predicate("allowUnfree", name)
    } else if why.contains("contains elements not built from source") {
        predicate("allowNonSource", name)
    } else if why.contains("is marked as insecure") {
        format!(
            "permittedInsecurePackages = [ \"{name}\" ]; if the configuration already has such a list, add the name to it, because only one list may take effect"
        )
    } else if why.contains("is marked as broken") {
        "allowBroken = true, which allows all broken packages".into()
    } else {
        problem(name, why)?
    };
    Some(format!(
        "to use it anyway, add this to the module or to the host's configuration: nixpkgs.config.{config}; if the host sets nixpkgs.pkgs, add it instead to the config {OUTSIDE}"
    ))
}

/// Returns the setting that allows a package by its name.
fn predicate(setting: &str, name: &str) -> String {
    format!(
        "{setting}Predicate = pkg: builtins.elem (lib.getName pkg) [ \"{}\" ]; to allow all such packages, set nixpkgs.config.{setting} = true; if the configuration already has such a predicate, add the name to it, because only one predicate takes effect",
        without_version(name)
    )
}

/// Returns the setting that accepts a problem of a package, such as
/// `broken: This package is broken.`.
fn problem(name: &str, why: &str) -> Option<String> {
    let (_, list) = why.split_once("has problems:")?;
    let first = list.lines().find_map(|line| line.strip_prefix("- "))?;
    let (problem, _) = first.split_once([':', ' '])?;
    Some(format!(
        "problems.handlers.{}.{problem} = \"warn\"",
        without_version(name)
    ))
}

/// Removes the version from a package name, as `lib.getName` does: from the first dash that is not
/// followed by a letter.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_removed_from_a_package_name() {
        assert_eq!(without_version("steam-original-1.0.0.79"), "steam-original");
        assert_eq!(without_version("openssl-1.1.1w"), "openssl");
        assert_eq!(without_version("plain"), "plain");
    }

    #[test]
    fn refused_packages_of_all_releases_get_their_setting() {
        for (message, setting) in [
            (
                "Package ‘steam-1.0’ in a.nix:3 has an unfree license (‘unfree’), refusing to evaluate.",
                "allowUnfreePredicate = pkg: builtins.elem (lib.getName pkg) [ \"steam\" ]",
            ),
            (
                "Refusing to evaluate package 'steam-1.0' in a.nix:3 because it has an unfree license (‘unfree’)\na) …",
                "allowUnfreePredicate = pkg: builtins.elem (lib.getName pkg) [ \"steam\" ]",
            ),
            (
                "Refusing to evaluate package 'x-1' in a.nix:3 because it is marked as insecure\n",
                "permittedInsecurePackages = [ \"x-1\" ]",
            ),
            (
                "Refusing to evaluate package 'x-1' in a.nix:3 because it has problems:\n- broken: This package is broken.\n\nSee also …\n- NixOS: …",
                "nixpkgs.config.problems.handlers.x.broken = \"warn\"",
            ),
        ] {
            assert!(is_refusal(message));
            let hint = refused(message).expect("a hint");
            assert!(hint.contains(setting), "{hint}");
        }
        assert_eq!(
            refused(
                "Refusing to evaluate package 'x-1' in a.nix:3 because it has a blocklisted license (‘x’)"
            ),
            None
        );
    }

    #[test]
    fn hint_for_read_only_overlays_drops_no_overlay() {
        let unique = "The option `nixpkgs.overlays' is defined multiple times while it's expected to be unique.";
        let hint = read_only(unique).expect("a hint");
        assert!(
            hint.contains("import nixpkgs { overlays") && !hint.contains("mkDefault"),
            "{hint}"
        );
        let other =
            "The option `boot.kernel' is defined multiple times while it's expected to be unique.";
        assert_eq!(read_only(other), None);
    }
}
