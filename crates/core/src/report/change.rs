//! The report of a change, as human-readable text or as JSON on stdout. Times go to stderr.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Result;
use schemars::JsonSchema;
use serde::Serialize;

use super::missing::{MissingReport, names};
use super::overridden::OverriddenOptions;
use super::times::Times;
use crate::activation::Activated;
use crate::choice::ProgressStyle;
use crate::clock::now;
use crate::error::{Failed, neutral};
use crate::error_output::AlreadyPrinted;
use crate::facts::Facts;
use crate::host::Situation;
use crate::output::{document, note, say};
use crate::overrides::OverrideState;
use crate::partial::{RuntimeFiles, Verification, VerificationResult};
use crate::pipeline::{BaseReport, BuildOrder, CacheReport, Preflight, Preview, System};
use crate::plan::{Action, Plan};
use crate::progress::{bytes, duration, for_stderr, for_stdout};
use crate::session::Session;
use crate::timings::{Counters, Phases};

/// The report of a command that changes the system, such as `enable`, `set` or `rollback`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeReport {
    schema: u64,
    /// The name of the command.
    command: String,
    /// The result of the command.
    change: ChangeOutcome,
    /// The modules that are enabled after the change, or would be in a dry run.
    modules: Vec<String>,
    /// The extra modules that are enabled, as they were given to `--module`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extra_modules: Vec<String>,
    /// The option overrides that are in force after the change, or would be in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    overrides: Option<OverriddenOptions>,
    /// The files that apply overrides without a new toplevel, if only these change.
    #[serde(skip_serializing_if = "Option::is_none")]
    partial: Option<PartialReport>,
    /// The specialisation of the host; absent for the host itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    specialisation: Option<String>,
    /// The store path of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    toplevel: Option<String>,
    /// The system's derivation, if it was evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    drv: Option<String>,
    /// The store path of the system without runtime modules.
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<String>,
    /// The warnings of the configuration.
    warnings: Vec<String>,
    /// The paths that were, or would be, built and fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<MissingReport>,
    /// The order in which to show builds.
    #[serde(skip)]
    order: BuildOrder,
    /// The values that activation needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<Facts>,
    /// The result of the checks before activation, only in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    preflight: Option<Preflight>,
    /// The comparison of the pinned source with the base, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<BaseReport>,
    /// The result of the switch.
    #[serde(skip_serializing_if = "Option::is_none")]
    activation: Option<Activated>,
    /// The result of a lookup in the result cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<CacheReport>,
    /// The evaluator's counters.
    #[serde(skip_serializing_if = "Option::is_none")]
    counters: Option<Counters>,
    /// The duration of each phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    phases: Option<Phases>,
    /// The error of a change that failed or is incomplete.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failed>,
    /// The reason why there was nothing to do, or a remark about the result.
    #[serde(skip)]
    words: String,
}

/// A change of some units and files of the running system.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PartialReport {
    /// The unit files and etc entries that apply the overrides after the change.
    files: RuntimeFiles,
    /// The verification of these files; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<Verification>,
    #[serde(flatten)]
    preview: Preview,
}

/// The result of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum ChangeOutcome {
    /// Nothing had to be done.
    None,
    /// The new toplevel was already running.
    Same,
    /// This was a dry run. A real run would activate the system.
    WouldActivate,
    /// The system was activated.
    Activated,
    /// The change failed or is incomplete. The error contains the details.
    Failed,
}

impl ChangeReport {
    fn empty(action: &Action, words: String) -> Self {
        Self {
            schema: 1,
            command: action
                .words()
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_string(),
            change: ChangeOutcome::None,
            modules: Vec::new(),
            extra_modules: Vec::new(),
            overrides: None,
            partial: None,
            specialisation: None,
            toplevel: None,
            drv: None,
            base: None,
            warnings: Vec::new(),
            missing: None,
            order: BuildOrder::default(),
            facts: None,
            preflight: None,
            comparison: None,
            activation: None,
            cache: None,
            counters: None,
            phases: None,
            error: None,
            words,
        }
    }

    /// Returns the report of a request for which there was nothing to do.
    pub fn nothing(action: &Action, situation: &Situation, why: String) -> Self {
        Self {
            modules: situation.active().to_vec(),
            overrides: some_overrides(situation.overrides()),
            toplevel: situation.running.clone(),
            ..Self::empty(action, why)
        }
    }

    /// Returns the report of a planned change.
    pub fn new(action: &Action, plan: &Plan, system: &System) -> Self {
        let (specialisation, extras) = system.additions();
        Self {
            change: ChangeOutcome::WouldActivate,
            modules: plan.wanted.clone(),
            overrides: some_overrides(&plan.overrides.after),
            extra_modules: extras.iter().map(|extra| extra.name.clone()).collect(),
            specialisation: specialisation.map(String::from),
            toplevel: Some(system.toplevel.clone()),
            drv: system.drv.clone(),
            base: system.base.clone(),
            warnings: system.warnings.clone(),
            missing: Some(MissingReport::from(&system.missing)),
            order: system.order.clone(),
            facts: system.facts.clone(),
            preflight: system.preflight.clone(),
            comparison: system.comparison.clone(),
            counters: system.counters.clone(),
            cache: system.cache.clone(),
            ..Self::empty(action, String::new())
        }
    }

    /// Records in the report that only some units and files of the running system change.
    pub fn partial(
        &mut self,
        system: &System,
        verification: Option<Verification>,
        preview: Preview,
    ) {
        self.partial = Some(PartialReport {
            files: system.runtime.clone(),
            verification,
            preview,
        });
    }

    /// Adds a refusal to the report of a dry run. A dry run does not fail because of it.
    pub fn refused(&mut self, refusal: Option<Failed>) {
        if let (Some(preflight), Some(refusal)) = (&mut self.preflight, refusal) {
            preflight.findings.refuse(refusal);
        }
    }

    /// Records in the report that the system was already running.
    pub fn unchanged(&mut self) {
        self.change = ChangeOutcome::Same;
    }

    /// Records in the report that the user disabled the confirmation, although the configuration
    /// may require one.
    pub fn unlimited(&mut self) {
        self.words = "the change stays active without confirmation\n".into();
    }

    /// Adds the result of the activation.
    pub fn activated(&mut self, activated: Activated) {
        self.preflight = None;
        self.error = activated.error();
        self.change = if self.error.is_some() {
            ChangeOutcome::Failed
        } else {
            ChangeOutcome::Activated
        };
        self.activation = Some(activated);
    }

    /// Prints the report, then returns the error of the change, if there is one.
    pub fn print(mut self, session: &Session) -> Result<()> {
        self.phases = (self.cache.is_some() || self.partial.is_some())
            .then(|| session.reporter.phases())
            .or_else(|| self.activation.as_ref().map(|_| session.reporter.phases()));
        session.interrupts.settle();
        session.reporter.finish();
        if session.options.json {
            say(document(&self)?)?;
        } else {
            if let Some(activation) = &self.activation {
                note(&activation.warnings);
            }
            say(for_stdout(&neutral_lines(&self.human())))?;
        }
        if !session.options.json {
            self.print_times(session);
        }
        match self.error {
            // The printed document already contains the error.
            Some(error) if session.options.json => {
                Err(anyhow::Error::from(error).context(AlreadyPrinted))
            }
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    /// Prints the times on stderr, unless progress is off or consists of JSON events. The events
    /// already contain the times.
    fn print_times(&self, session: &Session) {
        let Some(phases) = &self.phases else { return };
        if matches!(
            session.options.progress,
            ProgressStyle::Off | ProgressStyle::Events
        ) {
            return;
        }
        let times = Times {
            phases,
            cache: self.cache.as_ref(),
            counters: self.counters.as_ref(),
            missing: self.missing.as_ref(),
            comparison: self.comparison.as_ref(),
        };
        let text = if session.options.timings || session.options.verbose > 0 {
            times.table()
        } else {
            times.line()
        };
        // Ignore errors, because stderr may be closed.
        let _ = write!(std::io::stderr(), "{}", for_stderr(&text));
    }

    fn human(&self) -> String {
        let all: Vec<&str> = self
            .modules
            .iter()
            .chain(&self.extra_modules)
            .map(String::as_str)
            .collect();
        let mut modules = if all.is_empty() {
            "none".to_string()
        } else {
            all.join(", ")
        };
        if let Some(name) = &self.specialisation {
            modules += &format!(" (specialisation {name})");
        }
        match self.change {
            ChangeOutcome::None => format!("{}\n", self.words),
            ChangeOutcome::Same => {
                format!(
                    "nothing changed: this system is already running; active modules: {modules}\n"
                )
            }
            ChangeOutcome::WouldActivate => self.would(&modules),
            ChangeOutcome::Activated => {
                format!(
                    "active modules: {modules}{}\n{}{}",
                    self.overridden(),
                    self.applied(),
                    self.unconfirmed()
                )
            }
            ChangeOutcome::Failed => String::new(),
        }
    }

    fn overridden(&self) -> String {
        let options = self.overrides.as_ref().map(|one| one.options.join(", "));
        options.map_or_else(String::new, |options| {
            format!("; overridden options: {options}")
        })
    }

    /// Returns the line about a change of some units and files.
    fn applied(&self) -> String {
        let Some(PartialReport {
            preview,
            verification,
            ..
        }) = &self.partial
        else {
            return String::new();
        };
        let names: Vec<&str> = preview
            .differences
            .iter()
            .map(|file| file.name.as_str())
            .collect();
        let waits = verification
            .as_ref()
            .is_some_and(|one| one.result == VerificationResult::Waiting);
        let later = match waits {
            true => "; `runtime-module status` shows when the whole system is verified",
            false => "",
        };
        match names.is_empty() {
            true => format!("no unit or file differs{later}\n"),
            false => format!("changed: {}{later}\n", names.join(", ")),
        }
    }

    /// Returns a line that explains how to confirm the change. If no confirmation is needed,
    /// returns the remark about the result.
    fn unconfirmed(&self) -> String {
        let until = self
            .activation
            .as_ref()
            .and_then(|activation| activation.confirm_until);
        let Some(until) = until else {
            return self.words.clone();
        };
        let left = Duration::from_secs(until.saturating_sub(now()));
        format!(
            "run `runtime-module confirm` within {}, or the change is rolled back\n",
            duration(left)
        )
    }

    /// Formats the objections to the activation, and the warnings. Some are known only after a
    /// build.
    fn objections(&self) -> String {
        let Some(Preflight { built, findings }) = &self.preflight else {
            return String::new();
        };
        let mut text = String::new();
        for objection in &findings.objections {
            let refusal = &objection.refusal;
            text += &format!("would be refused: {}\n", refusal.message);
            for detail in &refusal.details {
                text += &format!("  {detail}\n");
            }
            match objection.allow {
                Some(allow) => {
                    text += &format!("  to override this check: --allow {}\n", allow.name());
                }
                None => {
                    for hint in &refusal.hints {
                        text += &format!("  hint: {hint}\n");
                    }
                }
            }
        }
        for warning in &findings.warnings {
            text += &format!("note: {warning}\n");
        }
        if !built {
            text += "checked only after the build: completeness, init compatibility, pre-switch checks\n";
        }
        text
    }

    fn would(&self, modules: &str) -> String {
        let mut text = format!("would be active: {modules}{}\n", self.overridden());
        if let Some(PartialReport { preview, .. }) = &self.partial {
            text += &preview.human();
        }
        if let Some(toplevel) = &self.toplevel {
            text += &format!("system: {toplevel}\n");
        }
        if let Some(missing) = &self.missing {
            text += &names("to build", &self.order.builds, "");
            text += &match self.order.sources.len() {
                0 => String::new(),
                n => format!("sources and patches to download: {n}\n"),
            };
            let size = format!(
                " ({} to download, {} unpacked)",
                bytes(missing.download_bytes),
                bytes(missing.unpacked_bytes)
            );
            text += &names("to fetch", &missing.fetch, &size);
            if missing.build.is_empty() && missing.fetch.is_empty() {
                text += "nothing to build or fetch\n";
            }
        }
        text + &self.objections()
    }
}

fn some_overrides(overrides: &OverrideState) -> Option<OverriddenOptions> {
    (!overrides.is_empty()).then(|| OverriddenOptions::of(overrides))
}

/// Makes each line safe to print, even if names in it contain control characters.
fn neutral_lines(text: &str) -> String {
    text.lines().map(|line| neutral(line) + "\n").collect()
}
