//! The report about each checked combination.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{CheckError, Failed};
use crate::evaluation::Evaluated;
use crate::facts::Facts;
use crate::libnix::Position;
use crate::pool::{EvaluationEnd, JobOutcome};
use crate::timings::Counters;

/// The status of a checked combination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CheckStatus {
    /// The combination evaluates.
    Ok,
    /// The combination does not evaluate.
    Failed,
    /// Each module of the combination evaluates alone, but together they do not.
    Conflict,
    /// The evaluation exceeded the time limit.
    TimedOut,
    /// The evaluation exceeded the memory limit.
    TooLarge,
    /// The evaluator exited without a result.
    Died,
    /// The combination evaluates, but cannot be built.
    NotBuilt,
}

impl CheckStatus {
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Conflict => "conflict",
            Self::TimedOut => "timed out",
            Self::TooLarge => "too large",
            Self::Died => "died",
            Self::NotBuilt => "not built",
        }
    }
}

/// A counter that grew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Regression {
    /// Name of the counter.
    pub counter: String,
    /// The value in the baseline.
    pub before: u64,
    /// The value now.
    pub now: u64,
}

/// The result of checking one combination of modules.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckRow {
    /// Always 1.
    pub schema: u64,
    /// The name of the host.
    pub host: String,
    /// The modules of the combination; empty for the host alone.
    pub modules: Vec<String>,
    /// Whether the combination evaluates and, if requested, builds; otherwise the reason.
    pub status: CheckStatus,
    /// The `.drv` file of the toplevel; null if the combination does not evaluate.
    pub drv: Option<String>,
    /// Whether the host alone has the same derivation.
    pub same_as_host: bool,
    /// Parts that differ from the host alone and that a switch cannot change: `kernel`, `initrd`,
    /// `kernel modules`, `kernel parameters`.
    pub needs_reboot: Vec<String>,
    /// Warnings that the host alone does not give.
    pub warnings: Vec<String>,
    /// Whether the evaluation needs the output of a derivation (import from derivation).
    pub import_from_derivation: bool,
    /// Whether the combination was evaluated in a fork of the evaluated host.
    pub forked: bool,
    /// Whether the combination reused the `pkgs` of the evaluated host instead of evaluating
    /// nixpkgs again.
    pub shared_packages: bool,
    /// The reason why `pkgs` was not reused, if reuse was requested.
    pub why_not_shared: Option<String>,
    /// Duration of the evaluation.
    pub milliseconds: f64,
    /// Bytes of unshared memory.
    pub bytes: u64,
    /// The evaluator's counters.
    pub counters: Counters,
    /// The error; null if no error occurred.
    pub error: Option<Failed>,
    /// The location in the flake that is nearest to the error.
    pub position: Option<Position>,
    /// Files of the flake that the error mentions.
    pub files: Vec<String>,
    /// The positions in these files that the error mentions. Line and column are 0 if the error
    /// does not give them.
    #[serde(skip)]
    pub named: Vec<Position>,
    /// The file of the module, relative to the top of the flake. Only set if there is exactly one
    /// module and it has a file.
    #[serde(skip)]
    pub declared: Option<String>,
    /// Whether the derivation differs from that of the baseline; null if there is no baseline.
    pub changed: Option<bool>,
    /// Counters that grew by more than the tolerance since the baseline.
    pub regressions: Vec<Regression>,
    /// Remarks that do not fail the run.
    #[serde(skip)]
    pub notes: Vec<String>,
}

impl CheckRow {
    /// Returns whether this row fails the run.
    pub fn is_bad(&self) -> bool {
        self.status != CheckStatus::Ok || !self.regressions.is_empty()
    }

    /// Names the combination in messages, for example `box with web`.
    pub fn subject(&self) -> String {
        match self.modules.is_empty() {
            true => format!("{} alone", self.host),
            false => format!("{} with {}", self.host, self.modules.join(", ")),
        }
    }

    /// Makes a row. `base` is the result of the host alone, and `source` is the store path of the
    /// flake's tree.
    pub(super) fn new(
        host: &str,
        modules: &[String],
        outcome: JobOutcome,
        base: Option<&Evaluated>,
        source: &str,
    ) -> Self {
        let mut row = Self {
            shared_packages: outcome.sharing.shared,
            why_not_shared: outcome.sharing.why,
            milliseconds: outcome.milliseconds,
            bytes: outcome.bytes,
            counters: outcome.counters,
            ..Self::empty(host, modules)
        };
        let combination = row.subject();
        match outcome.ended {
            EvaluationEnd::Evaluated { evaluated } => row.evaluated(*evaluated, base),
            EvaluationEnd::Failed {
                failed,
                places,
                builds,
                ..
            } => {
                row.import_from_derivation = builds;
                row.failed(failed, places, source);
            }
            EvaluationEnd::TimedOut => {
                row.ended(CheckStatus::TimedOut, CheckError::TimedOut { combination })
            }
            EvaluationEnd::TooLarge => {
                row.ended(CheckStatus::TooLarge, CheckError::TooLarge { combination })
            }
            EvaluationEnd::Died { why: reason } => {
                let error = CheckError::Died {
                    combination,
                    reason,
                };
                row.ended(CheckStatus::Died, error);
            }
        }
        row
    }

    /// Makes the row of a combination without a result.
    fn empty(host: &str, modules: &[String]) -> Self {
        Self {
            schema: 1,
            host: host.into(),
            modules: modules.to_vec(),
            status: CheckStatus::Ok,
            drv: None,
            same_as_host: false,
            needs_reboot: Vec::new(),
            warnings: Vec::new(),
            import_from_derivation: false,
            forked: true,
            shared_packages: false,
            why_not_shared: None,
            milliseconds: 0.0,
            bytes: 0,
            counters: Counters::default(),
            error: None,
            position: None,
            files: Vec::new(),
            named: Vec::new(),
            declared: None,
            changed: None,
            regressions: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Sets the reason for which there is no result.
    fn ended(&mut self, status: CheckStatus, error: CheckError) {
        self.status = status;
        self.error = Some(error.into());
    }

    /// Sets the error of the evaluation, and the places in the flake that it mentions.
    fn failed(&mut self, failed: Failed, places: Vec<Position>, source: &str) {
        self.status = CheckStatus::Failed;
        self.named = named(&failed, source);
        self.position = places
            .into_iter()
            .find_map(|place| within(place, source))
            .filter(|_| !quotes_definitions(&failed, source));
        self.files = self.named.iter().map(|place| place.file.clone()).collect();
        self.files.dedup();
        self.error = Some(failed);
    }

    fn evaluated(&mut self, evaluated: Evaluated, base: Option<&Evaluated>) {
        self.drv = evaluated.toplevel.map(|toplevel| toplevel.drv);
        self.warnings = evaluated.warnings;
        if let Some(base) = base {
            self.same_as_host =
                self.drv == base.toplevel.as_ref().map(|toplevel| toplevel.drv.clone());
            self.warnings
                .retain(|warning| !base.warnings.contains(warning));
            self.needs_reboot = different(&evaluated.facts, &base.facts);
        }
    }
}

/// Returns the names of the parts that differ and that only a reboot can change.
fn different(facts: &Facts, base: &Facts) -> Vec<String> {
    let all = [
        ("kernel", facts.kernel != base.kernel),
        ("initrd", facts.initrd != base.initrd),
        ("kernel modules", facts.modules_tree != base.modules_tree),
        (
            "kernel parameters",
            facts.kernel_params != base.kernel_params,
        ),
    ];
    all.iter()
        .filter(|(_, other)| *other)
        .map(|(name, _)| (*name).to_string())
        .collect()
}

/// Converts a position in the flake's tree to a path relative to its top.
fn within(mut position: Position, source: &str) -> Option<Position> {
    let rest = position.file.strip_prefix(source)?.strip_prefix('/')?;
    position.file = rest.to_string();
    Some(position)
}

/// Returns whether the error quotes definitions from the flake. If so, the error's position only
/// tells where Nix detected the problem.
fn quotes_definitions(failed: &Failed, source: &str) -> bool {
    let start = format!("- In `{source}/");
    failed.details.iter().any(|line| line.contains(&start))
}

/// Finds the positions in the flake's tree that an error mentions, without duplicates. Line and
/// column are 0 if they are missing.
fn named(failed: &Failed, source: &str) -> Vec<Position> {
    let start = format!("{source}/");
    let lines = std::iter::once(&failed.message).chain(&failed.details);
    let found = lines.flat_map(|line| {
        line.match_indices(&start).map(|(at, _)| {
            let quote = line[..at].chars().next_back();
            place(quote, &line[at + start.len()..])
        })
    });
    let once: BTreeSet<(String, u32, u32)> = found.filter(|place| !place.0.is_empty()).collect();
    once.into_iter()
        .map(|(file, line, column)| Position { file, line, column })
        .collect()
}

/// Parses the file name at the start of a text, and the `:LINE:COL` after it. `quote` is the
/// character before the text.
fn place(quote: Option<char>, text: &str) -> (String, u32, u32) {
    let end = match quote {
        Some('`' | '\'') => text.find('\''),
        Some('"') => text.find('"'),
        _ => text.find(|c: char| c.is_whitespace() || "'`\":,;)".contains(c)),
    };
    let (file, rest) = text.split_at(end.unwrap_or(text.len()));
    let mut numbers = rest.strip_prefix(':').unwrap_or_default().split(':');
    let mut number = || {
        let text = numbers.next().unwrap_or_default();
        let end = text.find(|c: char| !c.is_ascii_digit());
        text[..end.unwrap_or(text.len())].parse().unwrap_or(0)
    };
    (file.to_string(), number(), number())
}

/// A summary of the run.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckSummary {
    /// Number of hosts.
    pub hosts: usize,
    /// Number of checked combinations.
    pub checked: usize,
    /// Number of failed combinations.
    pub failed: usize,
    /// Number of modules that opt out of checks.
    pub skipped: usize,
    /// Duration of the whole run.
    pub milliseconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::EvaluationError;

    const SOURCE: &str = "/nix/store/a-source";

    fn position(file: &str, line: u32, column: u32) -> Position {
        Position {
            file: file.into(),
            line,
            column,
        }
    }

    fn failure() -> Failed {
        EvaluationError::HostsFail { reason: "x".into() }.into()
    }

    /// Makes a row for a failure.
    fn row(failed: Failed) -> CheckRow {
        let ended = EvaluationEnd::Failed {
            places: failed.places.clone(),
            failed,
            again: false,
            builds: false,
        };
        CheckRow::new("box", &[], JobOutcome::of(ended), None, SOURCE)
    }

    #[test]
    fn error_names_only_files_of_the_flake() {
        let failed = failure()
            .detail(
                "- In `/nix/store/a-source/modules/a.nix': 1\n- In `/nix/store/b-source/b.nix': 2",
            )
            .detail("at /nix/store/a-source/c.nix:3:4: and /nix/store/a-source/c.nix:5")
            .detail("opening '/nix/store/a-source/with a space.nix': not there");
        let row = row(failed);
        assert_eq!(
            row.named,
            [
                position("c.nix", 3, 4),
                position("c.nix", 5, 0),
                position("modules/a.nix", 0, 0),
                position("with a space.nix", 0, 0),
            ]
        );
        assert_eq!(row.files, ["c.nix", "modules/a.nix", "with a space.nix"]);
    }

    #[test]
    fn position_is_the_closest_one_in_the_flake() {
        let mut failed = failure();
        failed.places = vec![
            position("/nix/store/b-source/lib/modules.nix", 1, 1),
            position("/nix/store/a-source-of-another/a.nix", 2, 2),
            position("/nix/store/a-source/hosts/box.nix", 3, 4),
            position("/nix/store/a-source/flake.nix", 5, 6),
        ];
        let here = row(failed.clone()).position;
        assert_eq!(here, Some(position("hosts/box.nix", 3, 4)));
        // A file that the error itself mentions is closer, if it belongs to the flake.
        let elsewhere = failed.clone().detail("- In `/nix/store/b-source/b.nix': 2");
        assert_eq!(row(elsewhere).position, here);
        let defined = failed.detail("- In `/nix/store/a-source/a.nix': 2");
        assert_eq!(row(defined).position, None);
    }
}
