//! Sorts the builds for display: the system first, then its parts, level by level. Sources and
//! patches (fixed-output derivations) are listed separately.
//!
//! Reads the `.drv` files in the store. A file that cannot be read counts as a build without parts.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use runtime_module_core::pipeline::BuildOrder;

use crate::libnix::Store;
use crate::progress::store_name;

/// Sorts the derivations to build, starting from `top`.
pub fn build_order(store: &Store, top: &str, build: &[String]) -> BuildOrder {
    order(top, build, |path| {
        let file = store.real_path(path).ok()?;
        parse(&std::fs::read_to_string(Path::new(&file)).ok()?)
    })
}

fn order(top: &str, build: &[String], read: impl Fn(&str) -> Option<Parsed>) -> BuildOrder {
    let wanted: HashSet<&str> = build.iter().map(String::as_str).collect();
    let mut order = BuildOrder::default();
    let mut seen = HashSet::from([top.to_string()]);
    let mut level = BTreeSet::from([named(top)]);
    while !level.is_empty() {
        let mut next = BTreeSet::new();
        for (_, path) in level {
            let parsed = read(&path).unwrap_or_default();
            if wanted.contains(path.as_str()) {
                match parsed.fixed_output {
                    true => order.sources.push(path),
                    false => order.builds.push(path),
                }
            }
            // A part that needs no build has no parts that need a build.
            let parts = parsed.inputs.into_iter();
            let parts = parts.filter(|part| wanted.contains(part.as_str()));
            next.extend(
                parts
                    .filter(|part| seen.insert(part.clone()))
                    .map(|part| named(&part)),
            );
        }
        level = next;
    }
    let unreached: BTreeSet<_> = build
        .iter()
        .filter(|path| !seen.contains(*path))
        .map(|path| named(path))
        .collect();
    order
        .builds
        .extend(unreached.into_iter().map(|(_, path)| path));
    order.sources.sort_by_cached_key(|path| named(path));
    order
}

/// Returns a store path together with its name. The name comes first, so that paths sort by name.
fn named(path: &str) -> (String, String) {
    (store_name(path), path.to_string())
}

/// The beginning of a `.drv` file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parsed {
    fixed_output: bool,
    inputs: Vec<String>,
}

/// Reads `Derive([("out","/nix/store/…","sha256","…")],[("/nix/store/….drv",["out"])],…`, the ATerm
/// format of Nix (manual, "Derivation ATerm format"). An output has a hash only if it is fixed.
/// Strings in these two lists have no escapes.
fn parse(text: &str) -> Option<Parsed> {
    let (outputs, rest) = text.strip_prefix("Derive([")?.split_once("],[")?;
    let (inputs, _) = rest.split_once("],[")?;
    Some(Parsed {
        fixed_output: outputs
            .split("),(")
            .any(|output| !output.trim_end_matches(')').ends_with(",\"\"")),
        inputs: inputs
            .split('"')
            .filter(|part| part.ends_with(".drv"))
            .map(String::from)
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXED: &str =
        r#"Derive([("out","/s/a-fix.patch","sha256","00ff")],[],[],"x","/bin/sh",[],[])"#;

    fn derivation(inputs: &[&str]) -> String {
        let inputs: Vec<String> = inputs
            .iter()
            .map(|path| format!(r#"("{path}",["dev","out"])"#))
            .collect();
        format!(
            r#"Derive([("dev","/s/o-dev","",""),("out","/s/o","","")],[{}],["/s/x.sh"],"x86_64-linux","/bin/sh",["-e"],[("name","x.drv")])"#,
            inputs.join(",")
        )
    }

    #[test]
    fn outputs_and_inputs_are_read() {
        assert_eq!(
            parse(FIXED),
            Some(Parsed {
                fixed_output: true,
                inputs: Vec::new()
            })
        );
        assert_eq!(
            parse(&derivation(&["/s/b-lib.drv", "/s/c-tool.drv"])),
            Some(Parsed {
                fixed_output: false,
                inputs: vec!["/s/b-lib.drv".into(), "/s/c-tool.drv".into()]
            })
        );
        assert_eq!(parse(&derivation(&[])), Some(Parsed::default()));
        assert_eq!(parse("no derivation"), None);
    }

    #[test]
    fn system_comes_first_and_sources_are_apart() {
        let build: Vec<String> = [
            "/s/1-fix.patch.drv",
            "/s/2-zlib.drv",
            "/s/3-nginx.drv",
            "/s/4-system.drv",
            "/s/5-stray.drv",
        ]
        .map(String::from)
        .to_vec();
        let order = order("/s/4-system.drv", &build, |path| {
            let text = match path {
                "/s/4-system.drv" => derivation(&["/s/3-nginx.drv", "/s/9-present.drv"]),
                "/s/3-nginx.drv" => derivation(&["/s/1-fix.patch.drv", "/s/2-zlib.drv"]),
                "/s/1-fix.patch.drv" => FIXED.to_string(),
                "/s/2-zlib.drv" => derivation(&[]),
                _ => return None,
            };
            parse(&text)
        });
        assert_eq!(
            order.builds,
            [
                "/s/4-system.drv",
                "/s/3-nginx.drv",
                "/s/2-zlib.drv",
                "/s/5-stray.drv"
            ]
        );
        assert_eq!(order.sources, ["/s/1-fix.patch.drv"]);
    }
}
