//! Explains nixpkgs' errors about packages.
//!
//! Takes libnix's message; returns hints that keep the other settings of the configuration.

/// The location to change, if the host defines its packages itself.
const OUTSIDE: &str = "where the host defines its packages (the value of nixpkgs.pkgs)";

/// Returns hints, if the message is about packages.
pub(super) fn hints(message: &str) -> Vec<String> {
    match read_only(message) {
        Some(hint) => vec![hint],
        None => refused(message).unwrap_or_default(),
    }
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
            "the packages of this host are read-only, so a module cannot add overlays: add them {OUTSIDE}, for example import nixpkgs {{ overlays = [ … ]; }}; do not use lib.mkForce, which would drop the other overlays"
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
fn refused(message: &str) -> Option<Vec<String>> {
    let (name, why) = match message.split_once(REFUSES) {
        Some((_, rest)) => rest.split_once('\'')?,
        None => message.split_once("Package ‘")?.1.split_once('’')?,
    };
    let (setting, remarks) = if why.contains("has an unfree license") {
        predicate("allowUnfree", name)
    } else if why.contains("contains elements not built from source") {
        predicate("allowNonSource", name)
    } else if why.contains("is marked as insecure") {
        (
            format!("permittedInsecurePackages = [ \"{name}\" ]"),
            vec!["if the configuration already has such a list, add the name to it, because one list can replace the other".into()],
        )
    } else if why.contains("is marked as broken") {
        (
            "allowBroken = true".into(),
            vec!["this setting allows all broken packages".into()],
        )
    } else {
        (problem(name, why)?, Vec::new())
    };
    let mut hints = vec![format!(
        "to use it anyway, add this to the module or the host's configuration: nixpkgs.config.{setting};"
    )];
    hints.extend(remarks);
    hints.push("if the host sets nixpkgs.pkgs, put the setting in the config of that nixpkgs instead: import nixpkgs { config = { … }; }".into());
    Some(hints)
}

/// Returns the setting that allows a package by its name, and remarks about this setting.
fn predicate(setting: &str, name: &str) -> (String, Vec<String>) {
    let definition = format!(
        "{setting}Predicate = pkg: builtins.elem (lib.getName pkg) [ \"{}\" ]",
        without_version(name)
    );
    let remarks = vec![
        format!(
            "if {setting}Predicate is already set, add the name to it: only one predicate takes effect"
        ),
        format!("to allow all such packages, set nixpkgs.config.{setting} = true"),
    ];
    (definition, remarks)
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
            let hints = refused(message).expect("hints");
            assert!(hints[0].contains(setting), "{hints:?}");
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
