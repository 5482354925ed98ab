//! What is told of each thing that was checked.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Ended, Outcome};
use crate::error::{Failed, Failure};
use crate::evaluation::{Evaluated, Facts};
use crate::libnix::Position;
use crate::timings::Counters;

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It evaluates.
    Ok,
    /// It does not.
    Failed,
    /// Each of its modules does, and together they do not.
    Conflict,
    /// It took longer than it may.
    TimedOut,
    /// It had more memory than it may.
    TooLarge,
    /// Its evaluator died.
    Died,
    /// It evaluates, and cannot be built.
    NotBuilt,
}

impl Status {
    /// In a word.
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

/// Something that became more than it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Regression {
    /// The counter.
    pub counter: String,
    /// What it was.
    pub before: u64,
    /// What it is.
    pub now: u64,
}

/// One thing that was checked (`docs/json.md`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Always 1.
    pub schema: u64,
    /// The host.
    pub host: String,
    /// What it was extended with; nothing for the host alone.
    pub modules: Vec<String>,
    /// How it went.
    pub status: Status,
    /// The toplevel's derivation.
    pub drv: Option<String>,
    /// Whether that is the host's own.
    pub same_as_host: bool,
    /// What a switch cannot change, and is another one: `kernel`, `initrd`, `kernel modules`, `kernel parameters`.
    pub needs_reboot: Vec<String>,
    /// Warnings that the host alone does not give.
    pub warnings: Vec<String>,
    /// Whether evaluation builds.
    pub import_from_derivation: bool,
    /// Whether it was evaluated in a fork of the evaluated host.
    pub forked: bool,
    /// Whether it used the host's own packages.
    pub shared_packages: bool,
    /// Why not, where it was asked for.
    pub why_not_shared: Option<String>,
    /// How long it took.
    pub milliseconds: f64,
    /// Memory of its own, bytes.
    pub bytes: u64,
    /// What was counted.
    pub counters: Counters,
    /// What is wrong.
    pub error: Option<Failed>,
    /// Where, in a file of the flake.
    pub position: Option<Position>,
    /// Files of the flake that the error names.
    pub files: Vec<String>,
    /// The same, with lines and columns as far as it says them.
    #[serde(skip)]
    pub named: Vec<Position>,
    /// The file of the one module that was added, from the top of the flake's tree; none where it has none, or there are several.
    #[serde(skip)]
    pub declared: Option<String>,
    /// Against the baseline: whether the derivation is another one.
    pub changed: Option<bool>,
    /// Against the baseline: counters that are more than they may be.
    pub regressions: Vec<Regression>,
    /// What fails nothing.
    #[serde(skip)]
    pub notes: Vec<String>,
}

impl Row {
    /// Whether the run fails by it.
    pub fn is_bad(&self) -> bool {
        self.status != Status::Ok || !self.regressions.is_empty()
    }

    /// What is checked, in words.
    pub fn subject(&self) -> String {
        match self.modules.is_empty() {
            true => format!("{} alone", self.host),
            false => format!("{} with {}", self.host, self.modules.join(", ")),
        }
    }

    /// Of an outcome. `base` is what the host alone gives, `source` the store path of the flake's tree.
    pub(super) fn new(
        host: &str,
        modules: &[String],
        outcome: Outcome,
        base: Option<&Evaluated>,
        source: &str,
    ) -> Self {
        let mut row = Self {
            schema: 1,
            host: host.into(),
            modules: modules.to_vec(),
            status: Status::Ok,
            drv: None,
            same_as_host: false,
            needs_reboot: Vec::new(),
            warnings: Vec::new(),
            import_from_derivation: false,
            forked: true,
            shared_packages: outcome.sharing.shared,
            why_not_shared: outcome.sharing.why,
            milliseconds: outcome.milliseconds,
            bytes: outcome.bytes,
            counters: outcome.counters,
            error: None,
            position: None,
            files: Vec::new(),
            named: Vec::new(),
            declared: None,
            changed: None,
            regressions: Vec::new(),
            notes: Vec::new(),
        };
        let why = |text: &str| {
            Some(Failure::Evaluation.error(format!("check {}: {text}", row.subject())))
        };
        match outcome.ended {
            Ended::Evaluated { evaluated } => row.evaluated(*evaluated, base),
            Ended::Failed {
                failed,
                places,
                builds,
                ..
            } => {
                row.status = Status::Failed;
                row.import_from_derivation = builds;
                row.named = named(&failed, source);
                row.position = places
                    .into_iter()
                    .find_map(|place| within(place, source))
                    .filter(|_| !quotes_definitions(&failed, source));
                row.files = row.named.iter().map(|place| place.file.clone()).collect();
                row.files.dedup();
                row.error = Some(failed);
            }
            Ended::TimedOut => {
                row.error = why("it took longer than --timeout allows");
                row.status = Status::TimedOut;
            }
            Ended::TooLarge => {
                row.error = why("it had more memory than --max-memory allows");
                row.status = Status::TooLarge;
            }
            Ended::Died { why: text } => {
                row.error = why(&text);
                row.status = Status::Died;
            }
        }
        row
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

/// What only a reboot changes.
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

/// A position in the flake's own tree, as a path from its top.
fn within(mut position: Position, source: &str) -> Option<Position> {
    let rest = position.file.strip_prefix(source)?.strip_prefix('/')?;
    position.file = rest.to_string();
    Some(position)
}

/// Whether the error shows definitions of the flake's own: the place is then only that of whoever found out that they are wrong.
fn quotes_definitions(failed: &Failed, source: &str) -> bool {
    let start = format!("- In `{source}/");
    failed.details.iter().any(|line| line.contains(&start))
}

/// Places in the flake's own tree that an error names, each once; line and column are 0 where it does not say them.
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

/// The name that a text begins with, and the `:LINE:COL` behind it. `quote` is what stands before it.
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

/// The run as a whole.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Hosts that were looked at.
    pub hosts: usize,
    /// Things that were checked.
    pub checked: usize,
    /// Of them what fails.
    pub failed: usize,
    /// Modules that say that checks pass them over.
    pub skipped: usize,
    /// How long it all took.
    pub milliseconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "/nix/store/a-source";

    fn position(file: &str, line: u32, column: u32) -> Position {
        Position {
            file: file.into(),
            line,
            column,
        }
    }

    /// What is told of a failure.
    fn row(failed: Failed) -> Row {
        let ended = Ended::Failed {
            places: failed.places.clone(),
            failed,
            again: false,
            builds: false,
        };
        Row::new("box", &[], Outcome::of(ended), None, SOURCE)
    }

    #[test]
    fn files_of_the_flake_are_found_in_an_error_and_no_others() {
        let failed = Failure::Evaluation
            .error("x")
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
    fn the_place_is_the_nearest_one_in_the_flake() {
        let mut failed = Failure::Evaluation.error("x");
        failed.places = vec![
            position("/nix/store/b-source/lib/modules.nix", 1, 1),
            position("/nix/store/a-source-of-another/a.nix", 2, 2),
            position("/nix/store/a-source/hosts/box.nix", 3, 4),
            position("/nix/store/a-source/flake.nix", 5, 6),
        ];
        let here = row(failed.clone()).position;
        assert_eq!(here, Some(position("hosts/box.nix", 3, 4)));
        // What it names itself is nearer, where that is the flake's.
        let elsewhere = failed.clone().detail("- In `/nix/store/b-source/b.nix': 2");
        assert_eq!(row(elsewhere).position, here);
        let defined = failed.detail("- In `/nix/store/a-source/a.nix': 2");
        assert_eq!(row(defined).position, None);
    }
}
