//! Replaces the Nix expressions of an edit with their values.
//!
//! Takes a plan with placeholders; returns a plan with data. The expressions can use the
//! configuration with its modules and with the overrides in force, but without the new overrides.

use std::collections::BTreeSet;

use anyhow::Result;

use super::evaluate::evaluation_request;
use super::system_build::SystemBuild;
use crate::attributes::written;
use crate::error::ExpressionError;
use crate::evaluation::{
    self, DependentString, EvaluationRequest, ExpressionValue, Target, ValueExpression,
};
use crate::libnix::Store;
use crate::notes;
use crate::overrides::{Definition, DerivationOutput, Edit, StringDependency, check_value};
use crate::plan::{Action, Goal, Intent, Plan, PlannedOverrides, PlannedSource};

/// Evaluates the expressions of an intent. Returns the plan with their values, and with the source
/// locked.
pub(super) fn with_values(build: &SystemBuild<'_>, intent: &Intent) -> Result<Plan> {
    let (session, plan) = (build.session, build.plan);
    let (
        Action::Override(Edit::Set { definitions }),
        Goal::Evaluate {
            source,
            modules,
            additions,
        },
    ) = (&intent.action, &plan.goal)
    else {
        return Ok(plan.clone());
    };
    let configuration = build.lock(source, additions)?;
    let expressions = definitions.iter().zip(&intent.expressions);
    let expressions = expressions.map(|(definition, text)| ValueExpression {
        path: definition.path.clone(),
        text: text.clone(),
    });
    let request = EvaluationRequest {
        overrides: build.situation.overrides().definitions.clone(),
        describe: Vec::new(),
        expressions: expressions.collect(),
        target: Target::Expressions,
        list_options: false,
        ..evaluation_request(session, &configuration, modules, plan)
    };
    let evaluator = session.evaluator(&request.settings)?;
    let evaluation =
        evaluation::evaluate(evaluator, &request, &session.interrupts, &session.reporter).map_err(
            |error| {
                notes::gone(&build.libnix.store, &plan.purpose, &configuration).unwrap_or(error)
            },
        )?;
    let store = &build.libnix.store;
    let values = evaluation.evaluated.expressions.iter();
    let definitions: Vec<Definition> = definitions
        .iter()
        .zip(values)
        .map(|(definition, value)| with_value(store, definition, value))
        .collect::<Result<_>>()?;
    evaluation.stop_evaluator();
    let edit = Action::Override(Edit::Set { definitions });
    Ok(Plan {
        overrides: PlannedOverrides::decide(&edit, build.situation)?,
        goal: Goal::Evaluate {
            source: PlannedSource::Known(configuration.source),
            modules: modules.clone(),
            additions: additions.clone(),
        },
        ..plan.clone()
    })
}

/// Returns the definition with the value of its expression. The store paths in the value are
/// protected until this process exits.
fn with_value(
    store: &Store,
    definition: &Definition,
    found: &ExpressionValue,
) -> Result<Definition> {
    check_value(&definition.path, &found.value)?;
    let mut store_paths: Vec<StringDependency> = Vec::new();
    for string in &found.strings {
        for one in store_paths_of(store, &definition.path, string)? {
            if !store_paths.contains(&one) {
                store.add_temp_root(one.required())?;
                store_paths.push(one);
            }
        }
    }
    Ok(Definition {
        value: found.value.clone(),
        store_paths,
        ..definition.clone()
    })
}

/// Returns the store paths on which a string depends. The string must contain each of them, because
/// only its text is recorded.
fn store_paths_of(
    store: &Store,
    option: &[String],
    string: &DependentString,
) -> Result<BTreeSet<StringDependency>> {
    let mut found = BTreeSet::new();
    for (path, context) in &string.context {
        if context.all_outputs {
            let (option, path) = (written(option), path.clone());
            return Err(ExpressionError::OnDerivation { option, path }.into());
        }
        if context.path {
            found.insert(StringDependency {
                path: path.clone(),
                made_by: None,
            });
        }
        if context.outputs.is_empty() {
            continue;
        }
        let outputs = store.derivation_outputs(path)?;
        for output in &context.outputs {
            let known = outputs.iter().find(|(name, _)| name == output);
            let Some((_, made)) = known.filter(|(_, made)| !made.is_empty()) else {
                let (option, path) = (written(option), path.clone());
                return Err(ExpressionError::OnUnknownOutput { option, path }.into());
            };
            found.insert(StringDependency {
                path: made.clone(),
                made_by: Some(DerivationOutput {
                    drv: path.clone(),
                    output: output.clone(),
                }),
            });
        }
    }
    match found.iter().find(|one| !string.text.contains(&one.path)) {
        Some(hidden) => {
            let (option, path) = (written(option), hidden.path.clone());
            Err(ExpressionError::OnHiddenPath { option, path }.into())
        }
        None => Ok(found),
    }
}
