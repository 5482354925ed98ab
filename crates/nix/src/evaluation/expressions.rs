//! Evaluates the user's Nix expressions to values of option overrides.
//!
//! Takes expressions, which can use the configuration with its modules and overrides. Returns plain
//! data, and the store paths in it. Each expression is parsed separately and is never part of one
//! of our expressions.

use anyhow::Result;

use super::explain::{self, RequestProblem};
use super::expression::{SYSTEM, text, with_beside};
use super::expression_value::{ExpressionValue, NotData, ValueExpression};
use super::opened::Opened;
use super::{Evaluated, EvaluationRequest};
use crate::attributes::written;
use crate::error::{ExpressionError, Failed, Message as _, one_line};
use crate::libnix::{Evaluator, ExternalValue, NixError, Value};
use crate::overrides::value_place;

/// The head of a function. An expression follows as its body, on a separate line, and no text in
/// the expression can end the body.
const ARGUMENTS: &str = "{ config, lib, options, pkgs }:\n";

/// Evaluates the expressions of a request.
pub(super) fn evaluate(
    evaluator: &Evaluator,
    opened: &Opened,
    request: &EvaluationRequest,
) -> Result<Evaluated> {
    let functions = request
        .expressions
        .iter()
        .map(|one| format!("{ARGUMENTS}{}\n", one.text));
    let functions: Vec<String> = functions.collect();
    for (one, function) in request.expressions.iter().zip(&functions) {
        let parsed = evaluator.parse(function);
        parsed.map_err(|error| not_nix(one, &error))?;
    }
    let functions: Vec<ExternalValue<'_>> = functions
        .iter()
        .map(|text| ExternalValue::Function(text))
        .collect();
    let outputs = with_beside(evaluator, opened, request, functions)?;
    let value = evaluator.apply(&SYSTEM, &outputs, &text(request, false))?;
    if let Some(problem) = value.get::<Option<RequestProblem>>("problem")? {
        return Err(explain::problem(request, &problem).into());
    }
    let values = value.part("expressionValues")?;
    let each = request.expressions.iter().enumerate();
    let each = each.map(|(index, one)| value_of(request, &values, index, one));
    Ok(Evaluated {
        expressions: each.collect::<Result<_>>()?,
        ..Evaluated::default()
    })
}

fn value_of(
    request: &EvaluationRequest,
    values: &Value<'_>,
    index: usize,
    expression: &ValueExpression,
) -> Result<ExpressionValue> {
    let value = values.get::<ExpressionValue>(&index.to_string());
    let value = value.map_err(|error| {
        let alone = EvaluationRequest {
            expressions: vec![expression.clone()],
            ..request.clone()
        };
        explain::error(&alone, &error)
    })?;
    match &value.refused {
        Some(refused) => Err(refused.error(&expression.path).into()),
        None => Ok(value),
    }
}

impl NotData {
    fn error(&self, path: &[String]) -> ExpressionError {
        let option = written(path);
        let place = match self.at.is_empty() {
            true => String::new(),
            false => format!(" at {}", value_place(path, &self.at)),
        };
        match self.what.as_str() {
            "function" if self.at.is_empty() => ExpressionError::IsFunction { option },
            "function" => ExpressionError::ContainsFunction { option, place },
            "path" => ExpressionError::ContainsPath { option, place },
            "number" => ExpressionError::ContainsNumber { option, place },
            "depth" => ExpressionError::TooDeep { option },
            // Here, `name` is `_type` or `_module`.
            name => ExpressionError::Interpreted {
                option,
                name: name.into(),
                place,
            },
        }
    }
}

/// Explains an expression that cannot be parsed.
fn not_nix(expression: &ValueExpression, error: &NixError) -> Failed {
    let reason = one_line(&error.message);
    let hint = match reason.contains("undefined variable") {
        true => {
            "use only config, lib, options, pkgs, builtins and names that the expression itself defines"
        }
        false => "to write a string, quote it: '\"text\"'",
    };
    let option = written(&expression.path);
    let failed = ExpressionError::NotNix { option, reason }.hint(hint);
    match error.position.as_ref() {
        Some(at) if at.line > 1 => at_line(failed, &expression.text, at.line - 1, at.column),
        _ => failed,
    }
}

fn at_line(failed: Failed, text: &str, line: u32, column: u32) -> Failed {
    let failed = failed.detail(format!("at line {line}, column {column} of the expression"));
    match text.lines().nth(line as usize - 1) {
        Some(text) => failed.detail(format!("{line:>6} | {text}")),
        None => failed,
    }
}
