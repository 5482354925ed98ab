//! Reads the result of `system.nix`.

use anyhow::Result;

use super::explain::RequestProblem;
use super::{Evaluated, EvaluationRequest, Target, assertions, explain, overridden};
use crate::facts::Facts;
use crate::fault::{Point, step};
use crate::libnix::Value;

/// Forces and reads the requested parts of a result, the most urgent parts first.
pub fn read(
    value: &Value<'_>,
    request: &EvaluationRequest,
    evaluated: &mut Evaluated,
    warn: impl FnOnce(&[String]),
) -> Result<()> {
    if let Some(problem) = value.get::<Option<RequestProblem>>("problem")? {
        return Err(explain::problem(request, &problem).into());
    }
    evaluated.foreign_modules = value.get("foreignModules")?;
    if request.target == Target::Registry {
        evaluated.registry = value.get("registry")?;
        return Ok(());
    }
    evaluated.described = overridden::describe(value, request)?;
    if request.target == Target::Parts {
        // The verification evaluates everything else, assertions included.
        evaluated.parts = step(Point::EvaluatorEvaluate, || value.get("parts"))?;
        return Ok(());
    }
    evaluated.warnings = value.get("warnings")?;
    warn(&evaluated.warnings);
    let failed: Vec<String> = value.get("failedAssertions")?;
    if !failed.is_empty() {
        let bare =
            request.modules.is_empty() && request.extras.is_empty() && request.overrides.is_empty();
        // If evaluating the host alone fails, `failedWithout` is not available. Then no assertion
        // counts as the host's own.
        let without = match bare {
            true => failed.clone(),
            false => value.get("failedWithout").unwrap_or_default(),
        };
        return Err(assertions::failure(request, &failed, &without).into());
    }
    evaluated.toplevel = Some(step(Point::EvaluatorEvaluate, || value.get("toplevel"))?);
    evaluated.facts = value.get::<Facts>("facts")?;
    if request.target == Target::ToplevelAndBase {
        evaluated.base = Some(value.get("base")?);
    }
    Ok(())
}
