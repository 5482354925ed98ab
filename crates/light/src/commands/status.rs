//! `status`: shows the state of the modules and overrides, their source, and an unfinished change.
//! Evaluates nothing.

use std::time::Duration;

use anyhow::Result;
use schemars::JsonSchema;
use serde::Serialize;

use runtime_module_core::activation::masked_units;
use runtime_module_core::clock::now;
use runtime_module_core::error::{Failed, ProgramError, neutral};
use runtime_module_core::error_output::AlreadyPrinted;
use runtime_module_core::host::Situation;
use runtime_module_core::output::print_result;
use runtime_module_core::partial::{RuntimeFiles, Verification};
use runtime_module_core::plan::{current_configuration, is_elsewhere};
use runtime_module_core::progress::duration;
use runtime_module_core::record::{BaseStatus, Configuration, Outcome, Pending, Source, Step};
use runtime_module_core::registry::unknown_modules;
use runtime_module_core::report::OverriddenOptions;
use runtime_module_core::session::Session;

/// The document of `status`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusResult {
    schema: u64,
    /// The number of transaction outcomes recorded so far.
    revision: u64,
    /// The requested modules, or those that are named on the command line.
    modules: Vec<Module>,
    /// The store path of the running system.
    running: Option<String>,
    /// The store path of the system without runtime modules.
    base: Option<String>,
    /// The result of comparing the base with the source; absent without a source, or if the system
    /// is defined in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    base_status: Option<BaseStatus>,
    /// Whether an external switch has changed the system since the last transaction.
    foreign: bool,
    /// The configuration from which all evaluations start.
    #[serde(rename = "pin")]
    configuration: Option<Configuration>,
    /// An unfinished transaction.
    pending: Option<Pending>,
    /// Whether the running system contains the overrides, or partial changes apply them.
    overrides_are_active: bool,
    /// The option overrides in force.
    overrides: OverriddenOptions,
    /// The overrides that were applied without a new toplevel; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    partial: Option<PartialStatus>,
    /// A description of the process that holds the lock; null if the lock is not held.
    under_way: Option<String>,
    /// The last finished transaction.
    last: Option<Last>,
}

/// A finished transaction.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Last {
    /// The transaction's name.
    transaction: String,
    /// The description of the request.
    purpose: String,
    /// The outcome of the transaction.
    outcome: Outcome,
    /// The human-readable reason for the outcome; empty if the transaction succeeded.
    explanation: String,
}

/// The overrides that were applied without a new toplevel.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PartialStatus {
    /// The unit files and etc entries that apply the overrides.
    files: RuntimeFiles,
    /// The verification of these files.
    verification: Verification,
    /// Units in `files` that were masked afterwards.
    masked: Vec<String>,
    /// A human-readable description.
    #[serde(skip)]
    words: String,
}

impl PartialStatus {
    fn of(session: &Session, situation: &Situation) -> Option<Self> {
        let files = situation.state.runtime.clone();
        let verification = situation.state.verification.clone()?;
        if situation.foreign() {
            return None;
        }
        let names = match files.is_empty() {
            true => "no unit or file".into(),
            false => files.words(),
        };
        Some(Self {
            masked: masked_units(&session.locations, &files),
            words: format!("to {names} ({})", verification.result.words()),
            verification,
            files,
        })
    }
}

/// A module that is requested or named on the command line.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Module {
    /// The module's name.
    name: String,
    /// Whether the module is requested.
    wanted: bool,
    /// Whether the module is active.
    active: bool,
}

/// Shows the state of the requested modules, or of the named ones.
pub fn run(session: &Session, names: &[String]) -> Result<()> {
    let situation = session.host().situation()?;
    check_names(session, &situation, names)?;
    let status = StatusResult::of(session, &situation, names);
    let off = status.modules.iter().filter(|module| !module.active);
    let off: Vec<&str> = off.map(|module| module.name.as_str()).collect();
    print_result(session, &status, StatusResult::text)?;
    if names.is_empty() || off.is_empty() {
        return Ok(());
    }
    // The output is already complete. This error only sets the exit code, for scripts.
    let error = match off.as_slice() {
        [module] => ProgramError::ModuleNotActive {
            module: module.to_string(),
        },
        modules => ProgramError::ModulesNotActive {
            modules: modules.join(", "),
        },
    };
    Err(anyhow::Error::from(error).context(AlreadyPrinted))
}

/// Refuses names of modules that the running system does not declare.
fn check_names(session: &Session, situation: &Situation, names: &[String]) -> Result<(), Failed> {
    let Some(baked) = &situation.baked else {
        return Ok(());
    };
    let known = baked.modules.iter().map(|module| module.name.clone());
    let known: Vec<String> = known.collect();
    let unknown = names.iter().filter(|name| !known.contains(name)).cloned();
    let unknown: Vec<String> = unknown.collect();
    match unknown.is_empty() || is_elsewhere(situation, &session.options.source) {
        true => Ok(()),
        false => Err(unknown_modules(&unknown, &known)),
    }
}

/// Returns the result of the last transaction. Ignores a damaged history, which `history` reports.
fn last(session: &Session) -> Option<Last> {
    let entry = session.host().history().ok()?.pop()?;
    Some(Last {
        transaction: entry.transaction,
        purpose: entry.purpose,
        outcome: entry.outcome,
        explanation: entry.explanation,
    })
}

impl StatusResult {
    fn of(session: &Session, situation: &Situation, names: &[String]) -> Self {
        let shown = match names.is_empty() {
            true => &situation.state.wanted,
            false => names,
        };
        let modules = shown.iter().map(|name| Module {
            name: name.clone(),
            wanted: situation.state.wanted.contains(name),
            active: situation.active().contains(name),
        });
        let (configuration, base) = (current_configuration(situation), situation.base());
        Self {
            schema: 1,
            revision: situation.state.revision,
            modules: modules.collect(),
            running: situation.running.clone(),
            base_status: configuration
                .as_ref()
                .and_then(|configuration| configuration.base_status(base.as_deref())),
            base,
            foreign: situation.foreign(),
            configuration,
            pending: situation.state.pending.clone(),
            overrides_are_active: situation.overrides_are_active(),
            overrides: OverriddenOptions::of(situation.overrides()),
            partial: PartialStatus::of(session, situation),
            under_way: situation.under_way.clone(),
            last: last(session),
        }
    }

    fn text(&self) -> String {
        let mut rows = Rows::default();
        self.add_modules(&mut rows);
        self.add_overrides(&mut rows);
        self.add_transaction(&mut rows);
        self.add_base(&mut rows);
        if let Some(configuration) = &self.configuration {
            add_source(configuration, &mut rows);
        }
        if let Some(running) = &self.running {
            rows.add("running", running);
        }
        rows.0
    }

    fn add_modules(&self, rows: &mut Rows) {
        if self.modules.is_empty() {
            rows.add("modules", "none active");
        }
        for module in &self.modules {
            let state = match (module.active, module.wanted) {
                (true, _) => "on",
                (false, true) => "enabled but not active: run `runtime-module apply`",
                (false, false) => "off",
            };
            rows.add(&module.name, state);
        }
    }

    fn add_overrides(&self, rows: &mut Rows) {
        let OverriddenOptions {
            generation,
            options,
        } = &self.overrides;
        if options.is_empty() {
            return;
        }
        let options = options.join(", ");
        let state = match self.foreign || self.revision == 0 || !self.overrides_are_active {
            true => "not active: run `runtime-module apply`".to_string(),
            false => format!("generation {generation}"),
        };
        rows.add("overridden", &format!("{options} ({state})"));
        if let Some(partial) = &self.partial {
            rows.add("  applied", &partial.words);
            for unit in &partial.masked {
                rows.add(
                    "  masked",
                    &format!("{unit} was masked after the override was applied"),
                );
            }
        }
    }

    /// Adds the holder of the lock, an unfinished transaction, or a last transaction that did not
    /// activate its system.
    fn add_transaction(&self, rows: &mut Rows) {
        if let Some(holder) = &self.under_way {
            rows.add("under way", holder);
        } else if let Some(pending) = self.pending.as_ref().filter(|_| !self.foreign) {
            add_pending(pending, rows);
        } else if let Some(last) = &self.last
            && last.outcome != Outcome::Activated
        {
            rows.add(
                "last",
                match last.explanation.as_str() {
                    "" => last.outcome.words(),
                    explanation => explanation,
                },
            );
        }
    }

    fn add_base(&self, rows: &mut Rows) {
        if self.foreign {
            rows.add(
                "base",
                "an external switch changed the system after the last transaction",
            );
        }
        match self.base_status {
            Some(BaseStatus::NeverCompared) => rows.add(
                "base",
                "not yet compared with its source; the next change compares it",
            ),
            Some(BaseStatus::Differs) => rows.add(
                "base",
                "differs from its source (allowed by `--allow base-differs`); run `runtime-module rebuild` to move it to the current source",
            ),
            Some(BaseStatus::Same) | None => {}
        }
    }
}

fn add_pending(pending: &Pending, rows: &mut Rows) {
    let Pending { purpose, step, .. } = pending;
    if *step != Step::Confirming {
        rows.add("interrupted", &format!("`{purpose}`: {}", step.words()));
        rows.add(
            "",
            "run `runtime-module recover` to activate the previous system again, or `runtime-module recover --finish` to activate the new one",
        );
        return;
    }
    let until = pending.confirm_until.unwrap_or(0);
    let left = duration(Duration::from_secs(until.saturating_sub(now())));
    rows.add(
        "unconfirmed",
        &format!(
            "`{purpose}`: run `runtime-module confirm` within {left}, or the change is rolled back"
        ),
    );
}

fn add_source(configuration: &Configuration, rows: &mut Rows) {
    let variant = configuration.specialisation.as_ref();
    let variant = variant.map_or_else(String::new, |name| format!(", specialisation {name}"));
    match &configuration.source {
        Source::Flake(pin) => {
            let (host, url, revision) = (&pin.host, &pin.url, pin.at_revision());
            rows.add("source", &format!("{host} of {url}{revision}{variant}"));
        }
        Source::File(file) => {
            rows.add("source", &format!("{}{variant}", file.words()));
            rows.add(
                "",
                "evaluated again for each change: evaluation is impure, and nothing is pinned",
            );
        }
    }
    for extra in &configuration.extras {
        let until = match extra.keep {
            true => "until `reset`",
            false => "until the next change",
        };
        rows.add("  extra", &format!("{} {until}", extra.name));
    }
    let replaced = configuration.source.pin().into_iter();
    for (input, url) in replaced.flat_map(|pin| &pin.input_overrides) {
        rows.add("  input", &format!("{input} is replaced by {url}"));
    }
}

/// Output lines, each with a label and a value.
#[derive(Default)]
struct Rows(String);

impl Rows {
    fn add(&mut self, name: &str, text: &str) {
        self.0 += &neutral(format!("{name:10} {text}").trim_end());
        self.0.push('\n');
    }
}
