//! Completes option paths one name at a time, because a configuration has more than ten thousand
//! options.

use std::collections::BTreeSet;

/// The maximum number of full paths to offer. If more paths match, only the next names are
/// offered.
const WHOLE: usize = 60;

/// Completes the beginning of a path, which may end inside a quoted name. `paths` are in Nix
/// syntax.
pub(super) fn complete<'a>(begun: &str, paths: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let matching: Vec<&str> = paths.filter(|path| path.starts_with(begun)).collect();
    if matching.len() <= WHOLE {
        return matching.into_iter().map(String::from).collect();
    }
    let mut at = begun.len();
    loop {
        let next: BTreeSet<String> = matching.iter().map(|path| next_name(path, at)).collect();
        // If all paths continue with the same name, skip to the next choice.
        match next.first() {
            Some(one) if next.len() == 1 && one.ends_with('.') => at = one.len(),
            _ => return next,
        }
    }
}

/// Returns the path up to the end of the name that contains the position `at`, including the next
/// dot.
fn next_name(path: &str, at: usize) -> String {
    let mut quoted = false;
    let end = path.char_indices().find(|(index, c)| {
        quoted ^= *c == '"';
        *c == '.' && !quoted && *index >= at
    });
    path[..end.map_or(path.len(), |(index, _)| index + 1)].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_paths_are_completed_name_by_name() {
        let mut paths: Vec<String> = (0..100).map(|n| format!("services.s{n}.enable")).collect();
        paths.push("services.nginx.virtualHosts.\"a.example\".root".into());
        paths.push("networking.hostName".into());
        let offered = |begun: &str| -> Vec<String> {
            let found = complete(begun, paths.iter().map(String::as_str));
            found.into_iter().collect()
        };
        assert_eq!(offered("net"), ["networking.hostName"]);
        assert_eq!(offered(""), ["networking.", "services."]);
        let names = offered("serv");
        assert_eq!((names.len(), names[0].as_str()), (101, "services.nginx."));
        assert_eq!(offered("services.s99"), ["services.s99.enable"]);
        assert_eq!(
            offered("services.nginx.virtualHosts.\"a.e"),
            ["services.nginx.virtualHosts.\"a.example\".root"]
        );
        assert!(offered("services.x").is_empty());
        assert_eq!(next_name("a.\"b.c\".d", 3), "a.\"b.c\".");
    }
}
