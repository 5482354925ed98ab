//! The report of `recover`, of `confirm`, and of a `rollback` of an unconfirmed change.

use anyhow::Result;
use schemars::JsonSchema;
use serde::Serialize;

use crate::activation::Activated;
use crate::error::{Failed, neutral};
use crate::error_output::AlreadyPrinted;
use crate::output::{document, note, say};
use crate::progress::for_stdout;
use crate::record::Outcome;
use crate::session::Session;

/// The report of a command that ends a change.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndReport {
    schema: u64,
    /// The name of the command.
    command: &'static str,
    /// The modules that are now enabled.
    modules: Vec<String>,
    /// The result of the switch.
    activation: Activated,
    /// The error, if the command failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failed>,
}

impl EndReport {
    pub fn new(command: &'static str, modules: Vec<String>, activation: Activated) -> Self {
        Self {
            schema: 1,
            command,
            modules,
            error: activation.error(),
            activation,
        }
    }

    /// Prints the report, then returns the error of the command, if there is one.
    pub fn print(self, session: &Session) -> Result<()> {
        session.interrupts.settle();
        session.reporter.finish();
        let text = if session.options.json {
            document(&self)?
        } else {
            note(&self.activation.warnings);
            match self.error {
                Some(_) => String::new(),
                None => for_stdout(&self.human()),
            }
        };
        say(text)?;
        match self.error {
            Some(error) if session.options.json => {
                Err(anyhow::Error::from(error).context(AlreadyPrinted))
            }
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    fn human(&self) -> String {
        let active = match self.modules.as_slice() {
            [] => "active modules: none".to_string(),
            modules => format!("active modules: {}", modules.join(", ")),
        };
        let why = match self.activation.outcome {
            Outcome::Activated if self.activation.explanation.is_empty() => active,
            _ => format!("{}; {active}", self.activation.explanation),
        };
        neutral(&why) + "\n"
    }
}
