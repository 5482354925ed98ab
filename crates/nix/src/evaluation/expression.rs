//! The expression that evaluates a system, and its arguments.

use anyhow::Result;
use serde_json::json;

use super::opened::{Opened, lock};
use super::{EvaluationRequest, ExtraRequest, Target};
use crate::attributes::parse;
use crate::libnix::{self, Evaluator, Expression, ExternalValue, Outputs};

/// Our own expression, which evaluates a system.
pub const SYSTEM: Expression = Expression {
    name: "system.nix",
    text: SYSTEM_TEXT,
};

/// The text of the whole expression: system.nix applied to the values of the other files. It is
/// part of the cache key.
pub const SYSTEM_TEXT: &str = concat!(
    "(",
    include_str!("system.nix"),
    ")(",
    include_str!("hosts.nix"),
    ")(",
    include_str!("foreign_module.nix"),
    ")(",
    include_str!("overrides.nix"),
    ")"
);

/// Returns the outputs of the source, with external values: one for each extra module (its path, or
/// the outputs of its flake), followed by `others`.
pub(super) fn with_beside(
    evaluator: &Evaluator,
    opened: &Opened,
    request: &EvaluationRequest,
    others: Vec<ExternalValue<'_>>,
) -> Result<Outputs> {
    let extras = &request.extras;
    let lock = |extra: &ExtraRequest| {
        let flake = extra.flake.as_ref();
        flake.map(|flake| lock(evaluator, flake)).transpose()
    };
    let flakes = extras.iter().map(lock).collect::<Result<Vec<_>>>()?;
    let external = extras
        .iter()
        .zip(&flakes)
        .map(|(extra, flake)| match flake {
            Some(flake) => ExternalValue::Flake(flake),
            None => ExternalValue::Path(extra.path.as_deref().unwrap_or_default()),
        });
    let external: Vec<ExternalValue<'_>> = external.chain(others).collect();
    opened.outputs(evaluator, request, &external)
}

/// Formats the request for our expression. With `share`, the host's own packages may be used if
/// they are provably the same.
pub fn text(request: &EvaluationRequest, share: bool) -> String {
    asked(request, share).to_string()
}

pub(super) fn asked(request: &EvaluationRequest, share: bool) -> serde_json::Value {
    let host = &request.host;
    json!({
        "host": host,
        // A host name need not be a valid attribute path. If it is not, treat it as a single
        // attribute.
        "hostPath": parse(host).unwrap_or_else(|_| vec![host.clone()]),
        "system": libnix::system().unwrap_or_default(),
        "modules": request.modules,
        "extras": request.extras,
        "specialisation": request.specialisation,
        "overrides": request.overrides,
        "parts": request.parts,
        "describe": request.describe,
        "expressions": request.expressions.len(),
        "toplevel": matches!(request.target, Target::Toplevel | Target::ToplevelAndBase),
        "sharePkgs": share,
    })
}
