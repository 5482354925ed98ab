//! Explains why a file contains no system.
//!
//! Takes the request and the problem that `file.nix` found; returns the failure. It reads no files.

use super::explain::{RequestProblem, not_a_set, some};
use super::{EvaluationRequest, action};
use crate::attributes::written;
use crate::error::{EvaluationAction, EvaluationError, Failed, Message as _};
use crate::record::SystemFile;
use crate::registry::nearest;

const NAME_A_SYSTEM: &str =
    "select an attribute that is a system: --attr NAME, or --attr A.B for one inside a set";

/// Returns the error for a file that has no system at the requested attribute path.
pub(super) fn failed(
    request: &EvaluationRequest,
    file: &SystemFile,
    problem: &RequestProblem,
) -> Failed {
    let action = action(request);
    match problem.kind.as_str() {
        "no-attribute" => no_attribute(action, file, problem),
        "not-a-set" => not_a_set(action, problem).hint(NAME_A_SYSTEM),
        "no-nixpkgs" => EvaluationError::NoNixpkgs { action }.detail(match problem.known.as_slice() {
            [] => "the search path is empty: NIX_PATH and the setting nix-path are empty, and there are no channels"
                .into(),
            known => format!("searched: {}", known.join(", ")),
        }),
        "wants-arguments" => {
            let arguments = match problem.known.as_slice() {
                [] => "an unnamed argument".into(),
                known => some(known),
            };
            EvaluationError::RequiredArguments { action, arguments }.into()
        }
        "cannot-be-extended" => EvaluationError::FileNotExtensible { action }.into(),
        "no-system" => no_system(action, problem),
        other => {
            let problem = other.into();
            EvaluationError::UnknownProblem { action, problem }.into()
        }
    }
}

/// Explains an attribute path that does not exist in the file.
fn no_attribute(action: EvaluationAction, file: &SystemFile, problem: &RequestProblem) -> Failed {
    let (last, parents) = problem.names.split_last().unzip();
    let (name, parents) = (
        last.cloned().unwrap_or_default(),
        parents.unwrap_or_default(),
    );
    let path = |name: &str| written(&[parents, &[name.to_string()]].concat());
    let hint = match nearest(&name, &problem.known).first() {
        Some(name) => format!("did you mean --attr {}?", path(name)),
        None => NAME_A_SYSTEM.into(),
    };
    let place = SystemFile {
        attribute: parents.to_vec(),
        ..file.clone()
    };
    EvaluationError::NoAttribute {
        action,
        name,
        place: place.words(),
    }
    .detail(format!("available: {}", some(&problem.known)))
    .hint(hint)
}

/// Explains a value that is not a system, and suggests systems inside it.
fn no_system(action: EvaluationAction, problem: &RequestProblem) -> Failed {
    const SHOWN: usize = 4;
    let type_name = problem.names.first().cloned();
    let mut failed = Failed::from(EvaluationError::NotASystem {
        action,
        type_name: type_name.unwrap_or_else(|| "value".into()),
    });
    let systems = problem.known.iter().take(SHOWN);
    let systems: Vec<String> = systems.map(|name| format!("--attr {name}")).collect();
    if !systems.is_empty() {
        failed = failed.hint(format!(
            "select a system in the file: {}",
            systems.join(", ")
        ));
    }
    failed.hint("select the result of nixosSystem, <nixpkgs/nixos/lib/eval-config.nix> or lib.evalModules; without --attr, the file may also be a NixOS module")
}
