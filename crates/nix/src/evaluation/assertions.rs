//! Failed assertions: their messages, and whether they are due to the runtime modules.
//!
//! Takes the messages of the failed assertions with and without the runtime modules; returns the
//! failure.

use super::{EvaluationRequest, EvaluationSource, action};
use crate::attributes::written;
use crate::error::{EvaluationError, Failed, more_lines};

/// Maximum number of lines of a message that are shown without `--show-trace`.
const SHOWN: usize = 12;

/// Returns the error for failed assertions. `without` contains the messages of the assertions that also fail without
/// runtime modules.
pub(super) fn failure(
    request: &EvaluationRequest,
    messages: &[String],
    without: &[String],
) -> Failed {
    let action = action(request);
    let mut failed = Failed::from(match messages.len() {
        1 => EvaluationError::AssertionFailed { action },
        count => EvaluationError::AssertionsFailed { action, count },
    });
    let mut cut = false;
    for message in messages {
        let lines: Vec<&str> = message.trim().lines().collect();
        let shown = match request.settings.show_trace {
            true => lines.len(),
            false => lines.len().min(SHOWN),
        };
        failed = failed.detail(format!(
            "- {}",
            lines.first().unwrap_or(&"(without a message)")
        ));
        for line in &lines[shown.min(1)..shown] {
            failed = failed.detail(format!("  {line}"));
        }
        if shown < lines.len() {
            cut = true;
            failed = failed.detail(format!("  {}", more_lines(lines.len() - shown)));
        }
    }
    failed = failed.hint(advice(request, messages, without));
    match cut {
        true => failed.hint("use --show-trace to print the full messages"),
        false => failed,
    }
}

/// Returns the advice if new overrides must be the cause, because everything else was activated
/// before.
fn of_override(request: &EvaluationRequest, own: usize, says: &str) -> Option<String> {
    let options: Vec<String> = request
        .describe
        .iter()
        .map(|definition| written(&definition.path))
        .collect();
    (own == 0 && !options.is_empty()).then(|| {
        format!(
            "change the configuration as the {says}, or set {} to another value",
            options.join(" or ")
        )
    })
}

fn advice(request: &EvaluationRequest, messages: &[String], without: &[String]) -> String {
    let own = messages
        .iter()
        .filter(|message| without.contains(message))
        .count();
    let modules = request.modules.iter().map(|module| module.name.as_str());
    let names: Vec<&str> = modules
        .chain(request.extras.iter().map(|extra| extra.name.as_str()))
        .collect();
    let says = match messages.len() {
        1 => "message says",
        _ => "messages say",
    };
    if let Some(advice) = of_override(request, own, says) {
        return advice;
    }
    let again = match request.source {
        EvaluationSource::File(_) => "then try again",
        EvaluationSource::Flake(_) => {
            "then run `runtime-module rebuild`, or specify the flake with --flake"
        }
    };
    if names.is_empty() {
        return format!("change the configuration as the {says}, {again}");
    }
    let off = format!("or leave {} disabled", names.join(" or "));
    if own == 0 {
        return format!(
            "the host's assertions pass without these modules: change the configuration as the {says}, {off}"
        );
    }
    let whose = match (own, messages.len()) {
        (1, 1) => "this assertion also fails without runtime modules",
        (own, all) if own == all => "these assertions also fail without runtime modules",
        _ => "some of these assertions also fail without runtime modules",
    };
    format!("{whose}: change the configuration as the {says}, {again}")
}
