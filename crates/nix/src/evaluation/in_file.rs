//! Explains why a file contains no system.
//!
//! Takes the request and the problem that `file.nix` found; returns the failure. It reads no files.

use super::explain::{RequestProblem, some};
use super::{Request, failure, subject};
use crate::attributes::written;
use crate::error::{Failed, Failure};
use crate::record::SystemFile;
use crate::registry::nearest;

const NAME_A_SYSTEM: &str =
    "name an attribute that is a system: --attr NAME, or --attr A.B for one inside a set";

/// Makes the failure for a file without a system at the requested attribute path.
pub(super) fn failed(request: &Request, file: &SystemFile, problem: &RequestProblem) -> Failed {
    let what = subject(request);
    let kind = problem.names.first().map_or("value", String::as_str);
    match problem.kind.as_str() {
        "no-attribute" => {
            let (last, parents) = problem.names.split_last().unzip();
            let (last, parents) = (last.map_or("", String::as_str), parents.unwrap_or_default());
            let place = SystemFile {
                attribute: parents.to_vec(),
                ..file.clone()
            };
            let failed = Failure::Usage
                .error(format!("{what}: there is no '{last}' in {}", place.words()))
                .detail(format!("available: {}", some(&problem.known)));
            let path = |name: &str| written(&[parents, &[name.to_string()]].concat());
            match nearest(last, &problem.known).first() {
                Some(name) => failed.hint(format!("did you mean --attr {}?", path(name))),
                None => failed.hint(NAME_A_SYSTEM),
            }
        }
        "not-a-set" => Failure::Usage
            .error(format!(
                "{what}: {} has no attributes (its type is {})",
                if problem.names.is_empty() { "the value".into() } else { written(&problem.names) },
                problem.known.first().map_or("value", String::as_str)
            ))
            .hint(NAME_A_SYSTEM),
        "no-nixpkgs" => {
            let failed = failure(format!(
                "{what}: a NixOS module needs <nixpkgs>, which was not found"
            ));
            let failed = match problem.known.as_slice() {
                [] => failed.detail("the search path is empty: NIX_PATH and the setting nix-path are empty, and there are no channels"),
                known => failed.detail(format!("searched: {}", known.join(", "))),
            };
            failed
                .hint("give the location of nixpkgs: NIX_PATH=nixpkgs=FOLDER, or --option nix-path nixpkgs=FOLDER")
                .hint("if `sudo nix-channel --list` shows channels, fetch them with `sudo nix-channel --update`")
                .hint("if NIX_PATH is set and you use sudo, keep it with sudo --preserve-env=NIX_PATH")
        }
        "wants-arguments" => failure(format!(
            "{what}: the function has required arguments: {}",
            match problem.known.as_slice() {
                [] => "an unnamed argument".into(),
                known => some(known),
            }
        ))
        .hint("give each argument a name and a default, or name an attribute that is a system"),
        "cannot-be-extended" => failure(format!(
            "{what}: the configuration cannot be extended (it has no extendModules)"
        ))
        .hint("`import <nixpkgs/nixos> { … }` returns such a configuration: use `import <nixpkgs/nixos/lib/eval-config.nix> { modules = [ … ]; }` instead"),
        "no-system" => {
            let failed = failure(format!("{what}: the value is not a system (its type is {kind})"));
            let failed = match problem.known.as_slice() {
                [] => failed,
                known => failed.hint(format!(
                    "name a system in the file: {}",
                    known.iter().take(4).map(|name| format!("--attr {name}")).collect::<Vec<_>>().join(", ")
                )),
            };
            failed.hint("name the result of nixosSystem, <nixpkgs/nixos/lib/eval-config.nix> or lib.evalModules; without --attr, the file may also be a NixOS module")
        }
        other => failure(format!("{what}: {other}"))
            .hint("this is a bug in runtime-module: please report it"),
    }
}
