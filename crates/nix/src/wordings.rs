//! The words by which the program recognises errors of libnix whose words depend on the release of
//! Nix. libnix gives no other sign of these errors.
//!
//! Each list has an example for each release in the tests below.

/// The text around the system and the features in an error about a derivation that no machine can
/// build, from 2.26 to 2.29.
const NO_MACHINE_2_26: [&str; 3] = ["a '", "' with features {", "} is required to build '"];

/// Words of an error about a derivation that no machine can build.
pub const NO_MACHINE: &[&str] = &[
    // 2.26 to 2.29
    "is required to build",
    // 2.30 to 2.33
    "required system or feature not available",
    // Since 2.34
    "platform mismatch",
    "missing system features",
];

/// Words of an error about a source that could not be fetched.
pub const UNFETCHED: &[&str] = &[
    "unable to download",
    "resolving Git reference",
    "Failed to open archive",
    "Cannot find Git revision",
    "cannot find Git revision",
    "failed to fetch",
    "program 'git' failed",
    // Since 2.31
    "Failed to fetch git repository",
];

/// Words of an error about a path that git does not track.
pub const NOT_IN_GIT: &[&str] = &[
    // 2.26 and 2.27
    "does not exist",
    // Since 2.28
    "is not tracked by Git",
];

/// Words of an error about a path that is not in the store.
pub const NOT_IN_STORE: &[&str] = &[
    "does not exist",
    "is not valid",
    // Since 2.34, for a path that evaluation needs
    "is required, but there is no substituter",
];

/// Words of an error about a lock file that is damaged.
pub const DAMAGED_LOCK: &[&str] = &[JSON, "lock file references"];

/// The beginning of a message of the library that reads JSON. Up to 2.27, it begins the whole
/// message.
const JSON: &str = "[json.exception.";

/// The text of an error about a failed build: the text before the derivation, the text after it,
/// and what replaces both before the reason.
const FAILED: &[(&str, &str, &str)] = &[
    // 2.26 to 2.28; since 2.29, only for missing outputs
    ("builder for '", "' ", "the builder "),
    // Since 2.29
    ("Cannot build '", "'.\nReason: builder ", "the builder "),
    ("Cannot build '", "'.\nReason: ", ""),
    // A timeout, 2.26 to 2.30
    ("building of '", "' from .drv file ", ""),
    // A timeout, 2.26 to 2.32
    ("building of '", "' from in-memory derivation ", ""),
    // A timeout, 2.33
    ("building derivation '", "' ", ""),
];

/// The text before the name of an attribute of a flake that libnix does not support.
const UNSUPPORTED: &[&str] = &[
    // An attribute of an input
    "unexpected flake input attribute '",
    // An attribute of the flake
    " has an unsupported attribute '",
    // Since 2.27, an attribute of `inputs.self`
    "flake 'self' attribute '",
];

/// The text of a timeout without a derivation, since 2.34.
const TIMEOUT: (&str, &str) = ("timed out after ", " seconds");

/// Returns the message of the library that reads JSON, without its error number and without the text
/// of libnix before it. Returns any other message as it is.
pub fn without_json_error(message: &str) -> &str {
    let json = message.split_once(JSON).map(|(_, rest)| rest);
    let text = json.and_then(|rest| Some(rest.split_once("] ")?.1));
    text.unwrap_or(message)
}

/// Returns whether a message has one of these words.
pub fn says(words: &[&str], message: &str) -> bool {
    words.iter().any(|words| message.contains(words))
}

/// Returns the derivation that a message is about: the first one that it names.
pub fn derivation(message: &str) -> Option<&str> {
    message
        .split('\'')
        // libnix names a build that timed out together with its outputs: `x.drv^out`.
        .map(|part| part.split('^').next().unwrap_or(part))
        .find(|part| part.starts_with('/') && part.ends_with(".drv") && !part.contains('\n'))
}

/// Returns the reason of a failed build, without the derivation and the log lines.
pub fn reason(message: &str) -> String {
    // A daemon indents the lines after the first one.
    let lines: Vec<&str> = message.lines().map(str::trim_start).collect();
    let message = lines.join("\n");
    let message = message.as_str();
    if let Some(needs) = needs(message) {
        return format!("it requires {needs}, which this machine does not offer");
    }
    let found = FAILED.iter().find_map(|(before, after, shown)| {
        let (_, rest) = message.split_once(before)?;
        let (derivation, rest) = rest.split_once(after)?;
        let names_one = derivation.split('^').next()?.ends_with(".drv");
        names_one.then_some((*shown, rest))
    });
    let (shown, rest) = found.unwrap_or(("", message));
    let line = rest.lines().next().unwrap_or_default();
    format!("{shown}{}", line.trim_end_matches([';', '.', ':']))
}

/// Returns the attribute of a flake that libnix does not support, and the text after its name.
pub fn unsupported_attribute(message: &str) -> Option<(&str, &str)> {
    UNSUPPORTED.iter().find_map(|before| {
        let (_, rest) = message.split_once(before)?;
        rest.split_once('\'')
    })
}

/// Returns the number of seconds in the message of a timeout that names no derivation.
pub fn timeout(message: &str) -> Option<u64> {
    let (before, after) = TIMEOUT;
    let seconds = message.trim().strip_prefix(before)?.strip_suffix(after)?;
    seconds.parse().ok()
}

/// Returns the message of a timeout because of silence, in the words of earlier releases.
pub fn silence(message: &str) -> String {
    format!("{} of silence", message.trim())
}

/// Describes the system and features that a derivation needs and no machine has.
fn needs(message: &str) -> Option<String> {
    if !says(NO_MACHINE, message) {
        return None;
    }
    let between = |before: &str, after: &str| {
        let (_, rest) = message.split_once(before)?;
        Some(rest.split_once(after)?.0)
    };
    let [system_2_26, features_2_26, end_2_26] = NO_MACHINE_2_26;
    let old = between(system_2_26, end_2_26).and_then(|both| both.split_once(features_2_26));
    let (system, features) = match old {
        Some((system, features)) => (Some(system), Some(features)),
        None => (
            between("Required system: '", "'"),
            between("' with features {", "}").or_else(|| between("Required features: {", "}")),
        ),
    };
    let features = features.filter(|features| !features.is_empty());
    match (system, features) {
        (Some(system), Some(features)) => Some(format!("{system} with the features {features}")),
        (Some(system), None) => Some(system.into()),
        (None, Some(features)) => Some(format!("the features {features}")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The releases, their message about a failed build, and the reason that we show.
    const FAILURES: &[(&str, &str, &str)] = &[
        (
            "2.26 to 2.28",
            "builder for '/s/a.drv' failed with exit code 1;\nlast 2 log lines:\n> x",
            "the builder failed with exit code 1",
        ),
        (
            "since 2.29",
            "Cannot build '/s/a.drv'.\nReason: builder failed with exit code 1.\nOutput paths:\n  /s/a\nLast 1 log lines:\n> x",
            "the builder failed with exit code 1",
        ),
        (
            "since 2.29, from a daemon",
            "Cannot build '/s/a.drv'.\n       Reason: builder failed with exit code 1.\n       Output paths:",
            "the builder failed with exit code 1",
        ),
        (
            "2.26 to 2.35",
            "builder for '/s/a.drv' failed to produce output path for output 'out' at '/s/a'",
            "the builder failed to produce output path for output 'out' at '/s/a'",
        ),
        (
            "since 2.29",
            "Cannot build '/s/a.drv'.\nReason: 1 dependency failed.\nOutput paths:\n  /s/a",
            "1 dependency failed",
        ),
        (
            "since 2.34",
            "Cannot build '/s/a.drv'.\nReason: local builds are disabled (max-jobs = 0)\nHint: set it",
            "local builds are disabled (max-jobs = 0)",
        ),
        (
            "2.26 to 2.30",
            "building of '/s/a.drv^out' from .drv file timed out after 1 seconds",
            "timed out after 1 seconds",
        ),
        (
            "2.26 to 2.32",
            "building of '/s/a.drv' from in-memory derivation timed out after 1 seconds",
            "timed out after 1 seconds",
        ),
        (
            "2.33",
            "building derivation '/s/a.drv' timed out after 1 seconds of silence",
            "timed out after 1 seconds of silence",
        ),
        (
            "2.26 to 2.29",
            "a 'm68k-linux' with features {} is required to build '/s/a.drv', but I am a 'x86_64-linux' with features {kvm}",
            "it requires m68k-linux, which this machine does not offer",
        ),
        (
            "2.30 to 2.33",
            "Cannot build '/s/a.drv'.\nReason: required system or feature not available\nRequired system: 'm68k-linux' with features {kvm}\nCurrent system: 'x86_64-linux' with features {}",
            "it requires m68k-linux with the features kvm, which this machine does not offer",
        ),
        (
            "since 2.34",
            "Cannot build '/s/a.drv'.\nReason: platform mismatch\nRequired system: 'm68k-linux'\nCurrent system: 'x86_64-linux'",
            "it requires m68k-linux, which this machine does not offer",
        ),
        (
            "since 2.34",
            "Cannot build '/s/a.drv'.\nReason: missing system features\nRequired features: {kvm, uid-range}\nAvailable features: {}",
            "it requires the features kvm, uid-range, which this machine does not offer",
        ),
    ];

    #[test]
    fn failed_builds_are_understood_in_every_release() {
        for (releases, message, shown) in FAILURES {
            assert_eq!(derivation(message), Some("/s/a.drv"), "{releases}");
            assert_eq!(reason(message), *shown, "{releases}");
        }
    }

    /// The releases, the words, and a message with them.
    const MESSAGES: &[(&str, &[&str], &str)] = &[
        (
            "2.26 to 2.35",
            UNFETCHED,
            "unable to download 'https://x': Could not resolve hostname (6)",
        ),
        (
            "2.31",
            UNFETCHED,
            "Failed to fetch git repository https://x : fatal",
        ),
        (
            "2.34, 2.35",
            UNFETCHED,
            "Failed to fetch git repository 'https://x'",
        ),
        (
            "2.26, 2.27",
            NOT_IN_GIT,
            "path '/g/a' does not exist in Git repository '/g'",
        ),
        (
            "2.28 to 2.35",
            NOT_IN_GIT,
            "Path 'a' in the repository \"/g\" is not tracked by Git.\n\nTo make it visible",
        ),
        ("2.26", NOT_IN_STORE, "path '/s/a.drv' is not valid"),
        (
            "2.34, 2.35",
            NOT_IN_STORE,
            "path '/s/a.drv' is required, but there is no substituter that can build it",
        ),
        (
            "2.26, 2.27",
            DAMAGED_LOCK,
            "[json.exception.parse_error.101] parse error at line 1",
        ),
        (
            "2.28 to 2.35",
            DAMAGED_LOCK,
            "Could not parse 'flake.lock': [json.exception.parse_error.101] parse error at line 1",
        ),
        (
            "2.26 to 2.35",
            DAMAGED_LOCK,
            "lock file references missing node 'a'",
        ),
    ];

    #[test]
    fn words_are_found_in_every_release() {
        for (releases, words, message) in MESSAGES {
            assert!(says(words, message), "{releases}: {message}");
        }
    }

    #[test]
    fn unsupported_attribute_is_named() {
        for (message, after) in [
            (
                // 2.26 to 2.35
                "unexpected flake input attribute 'new', at /f/flake.nix:1:3",
                ", at /f/flake.nix:1:3",
            ),
            (
                // 2.26 to 2.35
                "flake 'path:/f' has an unsupported attribute 'new', at /f/flake.nix:1:3",
                ", at /f/flake.nix:1:3",
            ),
            (
                // Since 2.27
                "flake 'self' attribute 'new' is not supported",
                " is not supported",
            ),
        ] {
            assert_eq!(unsupported_attribute(message), Some(("new", after)));
        }
        assert_eq!(unsupported_attribute("flake 'a' is new"), None);
    }

    #[test]
    fn error_of_the_json_library_is_unwrapped() {
        for message in [
            "[json.exception.parse_error.101] parse error: no comma",
            "Could not parse 'flake.lock': [json.exception.parse_error.101] parse error: no comma",
        ] {
            assert_eq!(without_json_error(message), "parse error: no comma");
        }
        assert_eq!(without_json_error("other"), "other");
    }

    #[test]
    fn timeout_without_a_derivation_is_recognised() {
        // Since 2.34.
        assert_eq!(timeout("timed out after 20 seconds"), Some(20));
        assert_eq!(
            timeout("building derivation '/s/a.drv' timed out after 1 seconds"),
            None
        );
        assert_eq!(
            silence("timed out after 20 seconds"),
            "timed out after 20 seconds of silence"
        );
    }

    #[test]
    fn derivation_is_not_an_output() {
        assert_eq!(derivation("path '/s/a' is not valid"), None);
        assert_eq!(derivation("no quotes"), None);
    }
}
