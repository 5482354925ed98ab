//! `recover`, `confirm`, and `rollback` of an unconfirmed change: end a transaction that has not
//! ended. Evaluate nothing.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::Session;
use super::report::{Printed, note, whole_milliseconds};
use super::request::{activator, patiently, request, settle};
use crate::activation::{Activated, Errand};
use crate::baked::Baked;
use crate::cli::Patience;
use crate::error::{Failed, neutral};
use crate::plan::Situation;
use crate::progress::for_stdout;
use crate::record::Outcome;

/// The result (`docs/json.md`).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Ended {
    schema: u64,
    command: &'static str,
    /// The active modules.
    modules: Vec<String>,
    activation: Activated,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failed>,
}

/// How long to wait, for others and for services.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waits {
    /// For others.
    pub patience: Patience,
    /// For services, if it was typed.
    pub settle: Option<Duration>,
}

impl From<Patience> for Waits {
    fn from(patience: Patience) -> Self {
        Self {
            patience,
            settle: None,
        }
    }
}

/// Ends the transaction.
pub fn run(session: &Session, command: &'static str, errand: Errand, waits: Waits) -> Result<()> {
    let patience = waits.patience;
    patiently(session, patience);
    let activator = activator(session)?;
    let purpose = match errand {
        Errand::Recover { finish: true } => format!("{command} --finish"),
        _ => command.to_string(),
    };
    let mut request = request(session, &purpose, errand);
    request.wait = whole_milliseconds(patience.wait);
    let baked = Baked::read(&session.locations)?;
    request.settle = settle(waits.settle, baked.as_ref());
    session.interrupts.detach()?;
    let activation = activator.activate(&request, &session.reporter)?;
    let situation = Situation::read(&session.locations)?;
    let ended = Ended {
        schema: 1,
        command,
        modules: situation.active().to_vec(),
        error: activation.error(),
        activation,
    };
    print(session, ended)
}

fn print(session: &Session, ended: Ended) -> Result<()> {
    session.interrupts.settle();
    session.reporter.finish();
    let text = if session.global.json {
        super::document(&ended)?
    } else {
        note(&ended.activation.warnings);
        match ended.error {
            Some(_) => String::new(),
            None => for_stdout(&human(&ended)),
        }
    };
    super::say(text)?;
    match ended.error {
        Some(error) if session.global.json => Err(anyhow::Error::from(error).context(Printed)),
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

fn human(ended: &Ended) -> String {
    let on = match ended.modules.as_slice() {
        [] => "no module on".to_string(),
        modules => format!("{} on", modules.join(", ")),
    };
    let why = match ended.activation.outcome {
        Outcome::Activated if ended.activation.explanation.is_empty() => on,
        _ => format!("{}; {on}", ended.activation.explanation),
    };
    neutral(&why) + "\n"
}
