//! `status`: the enabled modules and their source. Evaluates nothing.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use runtime_module_core::clock::now;
use runtime_module_core::error::{Failure, neutral};
use runtime_module_core::output::{Printed, tell};
use runtime_module_core::plan::{Situation, is_elsewhere, pinned};
use runtime_module_core::progress::duration;
use runtime_module_core::record::{BaseStatus, Outcome, Pending, Pin, Step, read_history};
use runtime_module_core::report::Overridden;
use runtime_module_core::session::Session;

/// The result (`docs/json.md`).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    schema: u64,
    revision: u64,
    modules: Vec<Module>,
    running: Option<String>,
    base: Option<String>,
    /// How the base compares with the pin, or none without a pin.
    #[serde(skip_serializing_if = "Option::is_none")]
    base_status: Option<BaseStatus>,
    /// Whether an external switch has changed the system since the last transaction.
    foreign: bool,
    pin: Option<Pin>,
    pending: Option<Pending>,
    /// The option overrides in force.
    overrides: Overridden,
    /// The running transaction.
    under_way: Option<String>,
    /// The last transaction that has ended.
    last: Option<Last>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Last {
    transaction: String,
    purpose: String,
    outcome: Outcome,
    explanation: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Module {
    name: String,
    wanted: bool,
    active: bool,
}

/// Shows the state of the requested modules, or of the named ones.
pub fn run(session: &Session, names: &[String]) -> Result<()> {
    let situation = Situation::read(&session.locations)?;
    let known: Option<Vec<String>> = situation.baked.as_ref().map(|baked| {
        baked
            .modules
            .iter()
            .map(|module| module.name.clone())
            .collect()
    });
    let elsewhere = is_elsewhere(&situation, &session.options.source);
    if let Some(known) = known.as_ref().filter(|_| !elsewhere) {
        let unknown: Vec<String> = names
            .iter()
            .filter(|name| !known.contains(name))
            .cloned()
            .collect();
        if !unknown.is_empty() {
            return Err(runtime_module_core::registry::unknown_modules(&unknown, known).into());
        }
    }
    let shown = if names.is_empty() {
        &situation.state.wanted
    } else {
        names
    };
    let modules: Vec<Module> = shown
        .iter()
        .map(|name| Module {
            name: name.clone(),
            wanted: situation.state.wanted.contains(name),
            active: situation.active().contains(name),
        })
        .collect();
    let off: Vec<String> = modules
        .iter()
        .filter(|module| !module.active)
        .map(|module| module.name.clone())
        .collect();
    let (pin, base) = (pinned(&situation), situation.base());
    let status = Status {
        schema: 1,
        revision: situation.state.revision,
        modules,
        running: situation.running.clone(),
        base_status: pin
            .as_ref()
            .and_then(|pin| pin.base_status(base.as_deref())),
        base,
        foreign: situation.foreign(),
        pin,
        pending: situation.state.pending.clone(),
        overrides: Overridden::of(situation.overrides()),
        under_way: situation.under_way.clone(),
        last: last(session),
    };
    tell(session, &status, human)?;
    if names.is_empty() || off.is_empty() {
        return Ok(());
    }
    // The output is complete; only the exit code is left, for scripts.
    let verb = if off.len() == 1 { "is" } else { "are" };
    Err(anyhow::Error::from(
        Failure::NotActive.error(format!("{} {verb} not active", off.join(", "))),
    )
    .context(Printed))
}

/// Returns the result of the last transaction. `history` reports a damaged history.
fn last(session: &Session) -> Option<Last> {
    let entry = read_history(&session.locations).ok()?.pop()?;
    Some(Last {
        transaction: entry.transaction,
        purpose: entry.purpose,
        outcome: entry.outcome,
        explanation: entry.explanation,
    })
}

fn human(status: &Status) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: &str| {
        text += &neutral(format!("{name:10} {value}").trim_end());
        text.push('\n');
    };
    if status.modules.is_empty() {
        row("modules", "none on");
    }
    for module in &status.modules {
        let state = match (module.active, module.wanted) {
            (true, _) => "on",
            (false, true) => "enabled but not active: run `runtime-module apply`",
            (false, false) => "off",
        };
        row(&module.name, state);
    }
    if !status.overrides.options.is_empty() {
        let Overridden {
            generation,
            options,
        } = &status.overrides;
        let options = options.join(", ");
        let state = match status.foreign || status.revision == 0 {
            true => "not active: run `runtime-module apply`".to_string(),
            false => format!("generation {generation}"),
        };
        row("overridden", &format!("{options} ({state})"));
    }
    if let Some(holder) = &status.under_way {
        row("under way", holder);
    } else if let Some(pending) = status.pending.as_ref().filter(|_| !status.foreign) {
        let words = pending.step.words();
        if pending.step == Step::Confirming {
            let until = pending.confirm_until.unwrap_or(0);
            let left = Duration::from_secs(until.saturating_sub(now()));
            let left = duration(left);
            row(
                "unconfirmed",
                &format!(
                    "`{}`: run `runtime-module confirm` within {left}, or it is rolled back",
                    pending.purpose
                ),
            );
        } else {
            row("interrupted", &format!("`{}`: {words}", pending.purpose));
            row(
                "",
                "run `runtime-module recover` to activate the previous system again, or `runtime-module recover --finish` to activate the new one",
            );
        }
    } else if let Some(last) = status
        .last
        .as_ref()
        .filter(|last| last.outcome != Outcome::Activated)
    {
        let words = if last.explanation.is_empty() {
            last.outcome.words()
        } else {
            &last.explanation
        };
        row("last", words);
    }
    if status.foreign {
        row(
            "base",
            "an external switch changed the system after the last transaction",
        );
    }
    match status.base_status {
        Some(BaseStatus::NeverCompared) => row(
            "base",
            "not yet compared with its source; the next change compares it",
        ),
        Some(BaseStatus::Differs) => row(
            "base",
            "differs from its source, as allowed; run `runtime-module rebuild` to make them agree",
        ),
        Some(BaseStatus::Same) | None => {}
    }
    if let Some(pin) = &status.pin {
        let rev = pin.at_revision();
        let variant = pin
            .specialisation
            .as_ref()
            .map_or_else(String::new, |name| format!(", specialisation {name}"));
        let source = match &pin.file {
            Some(file) => format!("{}{variant}", file.words()),
            None => format!("{} of {}{rev}{variant}", pin.host, pin.url),
        };
        row("source", &source);
        if pin.file.is_some() {
            row(
                "",
                "evaluated again for each change: impure, nothing is pinned",
            );
        }
        for extra in &pin.extras {
            let until = if extra.keep {
                "until `reset`"
            } else {
                "until the next change"
            };
            row("  extra", &format!("{} {until}", extra.name));
        }
        for (input, url) in &pin.overrides {
            row("  input", &format!("{input} is {url}"));
        }
    }
    if let Some(running) = &status.running {
        row("running", running);
    }
    text
}
