//! What a change amounts to: one result, for people on stdout, or as JSON. Timings go to stderr.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::Session;
use super::base_check::BaseReport;
use super::reach::{Preflight, Reached};
use super::recall::Recalled;
use super::times::Times;
use crate::activation::Activated;
use crate::choice::ProgressStyle;
use crate::clock::now;
use crate::error::{Failed, neutral};
use crate::evaluation::Facts;
use crate::libnix::Missing;
use crate::plan::{Plan, Situation, Wish};
use crate::progress::{bytes, duration, for_stderr, for_stdout, store_name};
use crate::realise::BuildOrder;
use crate::timings::{Counters, Phases};

/// Names of builds and fetches that a person is shown.
const SHOWN: usize = 10;

/// The result of `enable`, `disable`, `reset`, `apply` and `rebuild` (`docs/json.md`).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    schema: u64,
    command: String,
    /// What became of it.
    pub change: Change,
    /// Modules that are on afterwards, or would be.
    modules: Vec<String>,
    /// Modules from elsewhere that are on beside.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extra_modules: Vec<String>,
    /// The variant of the host; none for the host itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    specialisation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    toplevel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<String>,
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<MissingReport>,
    /// The builds in the order in which a person is shown them.
    #[serde(skip)]
    order: BuildOrder,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<Facts>,
    /// What speaks against it, and what will take no effect; only in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    preflight: Option<Preflight>,
    /// What the comparison of the base said, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<BaseReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    activation: Option<Activated>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<Recalled>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counters: Option<Counters>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phases: Option<Phases>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failed>,
    /// Why nothing had to be done, or what is to be known of what was done.
    #[serde(skip)]
    words: String,
}

/// What became of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Nothing had to be done.
    None,
    /// The toplevel is the one that runs.
    Same,
    /// A dry run: this is what would be done.
    WouldActivate,
    /// Activated.
    Activated,
    /// Not activated, or not wholly: see the error.
    Failed,
}

/// The outputs that have to be built or fetched.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MissingReport {
    pub(super) build: Vec<String>,
    fetch: Vec<String>,
    pub(super) download_bytes: u64,
    unpacked_bytes: u64,
}

impl From<&Missing> for MissingReport {
    fn from(missing: &Missing) -> Self {
        Self {
            build: by_name(&missing.build),
            fetch: by_name(&missing.fetch),
            download_bytes: missing.download_bytes,
            unpacked_bytes: missing.unpacked_bytes,
        }
    }
}

/// Sorted by name: the order of hashes tells nobody anything.
fn by_name(paths: &[String]) -> Vec<String> {
    let mut paths = paths.to_vec();
    paths.sort_by_cached_key(|path| (store_name(path), path.clone()));
    paths
}

impl Report {
    fn empty(wish: &Wish, words: String) -> Self {
        Self {
            schema: 1,
            command: wish
                .words()
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_string(),
            change: Change::None,
            modules: Vec::new(),
            extra_modules: Vec::new(),
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

    /// Nothing had to be done, and why.
    pub fn nothing(wish: &Wish, situation: &Situation, why: String) -> Self {
        Self {
            modules: situation.active().to_vec(),
            toplevel: situation.running.clone(),
            ..Self::empty(wish, why)
        }
    }

    /// What would be done.
    pub fn new(wish: &Wish, plan: &Plan, goal: &Reached) -> Self {
        let evaluated = goal.evaluated.as_ref();
        let (specialisation, extras) = goal.beside();
        Self {
            change: Change::WouldActivate,
            modules: plan.wanted.clone(),
            extra_modules: extras.iter().map(|extra| extra.name.clone()).collect(),
            specialisation: specialisation.map(String::from),
            toplevel: Some(goal.toplevel.clone()),
            drv: goal.drv.clone(),
            base: goal.base.clone(),
            warnings: evaluated.map(|e| e.warnings.clone()).unwrap_or_default(),
            missing: Some(MissingReport::from(&goal.missing)),
            order: goal.order.clone(),
            facts: evaluated.map(|e| e.facts.clone()),
            preflight: goal.preflight.clone(),
            comparison: goal.comparison.clone(),
            counters: evaluated
                .filter(|_| goal.recalled().is_none_or(|cache| !cache.hit))
                .map(|e| e.counters.clone()),
            cache: goal.recalled(),
            ..Self::empty(wish, String::new())
        }
    }

    /// A dry run does not refuse; it says that it would be refused.
    pub fn refused(&mut self, refusal: Failed) {
        if let Some(preflight) = &mut self.preflight {
            preflight.findings.refuse(refusal);
        }
    }

    /// No confirmation is waited for, as was asked for; the configuration may want one otherwise.
    pub fn unlimited(&mut self) {
        self.words = "it stays as it is, without being confirmed\n".into();
    }

    /// What was done.
    pub fn activated(&mut self, activated: Activated) {
        self.preflight = None;
        self.error = activated.error();
        self.change = if self.error.is_some() {
            Change::Failed
        } else {
            Change::Activated
        };
        self.activation = Some(activated);
    }

    /// Prints it; its error, if there is one, is returned after that.
    pub fn print(mut self, session: &Session) -> Result<()> {
        self.phases = self
            .cache
            .is_some()
            .then(|| session.reporter.phases())
            .or_else(|| self.activation.as_ref().map(|_| session.reporter.phases()));
        session.interrupts.settle();
        session.reporter.finish();
        let mut out = std::io::stdout().lock();
        let written = if session.global.json {
            write!(out, "{}", super::document(&self)?)
        } else {
            if let Some(activation) = &self.activation {
                note(&activation.warnings);
            }
            write!(out, "{}", for_stdout(&neutral_lines(&self.human())))
        };
        written.map_err(super::untold)?;
        if !session.global.json {
            self.print_times(session);
        }
        match self.error {
            // A document was printed, and the error is in it.
            Some(error) if session.global.json => Err(anyhow::Error::from(error).context(Printed)),
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    /// Prints the times on stderr. Events carry them already, and a reader of events expects nothing else.
    fn print_times(&self, session: &Session) {
        let Some(phases) = &self.phases else { return };
        if matches!(
            session.global.progress,
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
        let text = if session.global.timings || session.global.verbose > 0 {
            times.table()
        } else {
            times.line()
        };
        // A closed stderr has no reader.
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
            "no module".to_string()
        } else {
            all.join(", ")
        };
        if let Some(name) = &self.specialisation {
            modules += &format!(" (specialisation {name})");
        }
        match self.change {
            Change::None => format!("{}\n", self.words),
            Change::Same => {
                format!("nothing changed: {modules} on, and the system is the one that runs\n")
            }
            Change::WouldActivate => self.would(&modules),
            Change::Activated => format!("{modules} on\n{}", self.unconfirmed()),
            Change::Failed => String::new(),
        }
    }

    /// What is to be done about a change that is not confirmed yet.
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
            "it is undone in {} unless you confirm it: runtime-module confirm\n",
            duration(left)
        )
    }

    /// What speaks against it, as far as is known before it is built, or of the system itself.
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
                    text += &format!("  to do it anyway: --allow {}\n", allow.name());
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
            text += "only the build tells: whether the system is whole and its init fits, and what its own checks say\n";
        }
        text
    }

    fn would(&self, modules: &str) -> String {
        let mut text = format!("would be on: {modules}\n");
        if let Some(toplevel) = &self.toplevel {
            text += &format!("system: {toplevel}\n");
        }
        if let Some(missing) = &self.missing {
            text += &names("to build", &self.order.builds, "");
            text += &match self.order.sources.len() {
                0 => String::new(),
                n => format!("sources and patches to get: {n}\n"),
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

/// Says on stderr what there is to know beside the result.
pub fn note(warnings: &[String]) {
    let mut err = std::io::stderr().lock();
    for text in warnings {
        // Who closed stderr does not want to know.
        let _ = writeln!(err, "{}", for_stderr(&format!("note: {}", neutral(text))));
    }
}

/// A time in whole milliseconds, as messages have it.
pub fn whole_milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A document has been printed on stdout already; only the exit code is left to be set.
#[derive(Debug)]
pub struct Printed;

impl std::fmt::Display for Printed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("printed")
    }
}

/// Each line harmless, whatever names are in it.
fn neutral_lines(text: &str) -> String {
    text.lines().map(|line| neutral(line) + "\n").collect()
}

fn names(what: &str, paths: &[String], size: &str) -> String {
    if paths.is_empty() {
        return String::new();
    }
    let mut text = format!("{what}: {}{size}\n", paths.len());
    for path in paths.iter().take(SHOWN) {
        text += &format!("  {}\n", store_name(path));
    }
    if paths.len() > SHOWN {
        text += &format!("  and {} more\n", paths.len() - SHOWN);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_counted() {
        let paths: Vec<String> = (0..12).map(|n| format!("/nix/store/x-p{n}.drv")).collect();
        let text = names("to build", &paths, "");
        assert!(
            text.starts_with("to build: 12\n  p0\n") && text.ends_with("  and 2 more\n"),
            "{text}"
        );
    }
}
