//! What nixpkgs says about packages, and about how a host makes them.
//!
//! Takes libnix's words; returns a hint that keeps what the configuration says already.

/// What a host does that makes its packages itself.
const OUTSIDE: &str = "where the host defines its packages (the value of nixpkgs.pkgs)";

/// What to do, if the message is about packages.
pub(super) fn hint(message: &str) -> Option<String> {
    read_only(message).or_else(|| refused(message))
}

/// An option of `nixpkgs`, on a host whose packages are made outside of the module system: there a definition changes nothing,
/// or is dropped without a word once another one takes precedence.
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
            "the packages of this host are read-only, and a module cannot configure them: do that {OUTSIDE}, as import nixpkgs {{ config = {{ … }}; }}"
        ),
        "hostPlatform" | "buildPlatform" | "system" | "localSystem" | "crossSystem" | "pkgs" => {
            format!(
                "the host determines its packages and their platform: remove the definition from the module, or change it {OUTSIDE}"
            )
        }
        _ => return None,
    })
}

/// A package that nixpkgs refuses, and the setting that allows it.
fn refused(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("Package ‘")?;
    let (name, why) = rest.split_once('’')?;
    let config = if why.contains("has an unfree license") {
        format!(
            "allowUnfreePredicate = pkg: builtins.elem (lib.getName pkg) [ \"{}\" ]; or all: nixpkgs.config.allowUnfree = true; if there is such a predicate already, add the name to that one, since only one of them counts",
            without_version(name)
        )
    } else if why.contains("is marked as insecure") {
        format!(
            "permittedInsecurePackages = [ \"{name}\" ]; if there is such a list already, add the name to that one, since only one of them may count"
        )
    } else {
        return None;
    };
    Some(format!(
        "to use it anyway, set in the module or in the host's configuration: nixpkgs.config.{config}; if the host sets nixpkgs.pkgs, set it in the config {OUTSIDE}"
    ))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_versions() {
        assert_eq!(without_version("steam-original-1.0.0.79"), "steam-original");
        assert_eq!(without_version("openssl-1.1.1w"), "openssl");
        assert_eq!(without_version("plain"), "plain");
    }

    #[test]
    fn overlays_of_a_host_with_its_own_packages_are_not_to_yield() {
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
