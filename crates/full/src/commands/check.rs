//! `check`: evaluates the modules of a host, or of all hosts, alone and combined, to the toplevel's
//! derivation.

use std::path::Path;

use anyhow::Result;

use runtime_module_core::choice::{CheckCombinations, CheckFormat};
use runtime_module_core::command::CheckOptions;
use runtime_module_core::overrides::Definition;
use runtime_module_core::percent;
use runtime_module_core::progress::TaskProgress;
use runtime_module_core::record::Source;
use runtime_module_core::reference::directory;
use runtime_module_nix::check::{
    Baseline, Builder, CheckEvent, CheckProgress, CheckRow, CheckStatus, CheckSummary, CheckWork,
    Combinations, Limits, Output, Scheduler, Shard, since,
};
use runtime_module_nix::evaluation::{EvaluationSource, available};
use runtime_module_nix::pipeline::source_to_read;
use runtime_module_nix::session::{NixSession, memory};

/// Unshared memory of a typical NixOS evaluation. More workers than fit into memory would only
/// swap.
const USUAL: u64 = 1 << 30;

pub fn run(session: &NixSession, options: &CheckOptions) -> Result<()> {
    let situation = session.host().situation()?;
    let source = source_to_read(session, &situation)?;
    let baseline = options
        .baseline
        .as_deref()
        .map(|file| Baseline::read(file, options.tolerance))
        .transpose()?;
    let mut output = Output {
        format: match session.options.json {
            true => CheckFormat::Json,
            false => options.format,
        },
        top: top(&source),
        rows: Vec::new(),
        notes: Vec::new(),
    };
    if let Some(revision) = &options.changed_since {
        let reason = since(session, &source, revision)?;
        let nothing = || format!("nothing that affects evaluation has changed since {revision}");
        output.note(session, reason.clone().unwrap_or_else(nothing));
        if reason.is_none() {
            return output.end(session, &CheckSummary::default());
        }
    }
    let overrides = match options.overrides {
        true => situation.overrides().definitions.clone(),
        false => Vec::new(),
    };
    if options.overrides && overrides.is_empty() {
        output.note(
            session,
            "no option is overridden, so --overrides has no effect".into(),
        );
    }
    let builder = options
        .build
        .then(|| Builder::new(session, &source, &overrides))
        .transpose()?;
    let work = work(session, options, source.clone(), overrides);
    output.begin(session)?;
    let tests = RowTests { builder, baseline };
    let summary = schedule(session, &work, &tests, &mut output)?;
    output.end(session, &summary)
}

/// The optional steps after an evaluation: a build, and a comparison with the baseline.
struct RowTests<'a> {
    builder: Option<Builder<'a>>,
    baseline: Option<Baseline>,
}

impl RowTests<'_> {
    /// Performs the steps for a row, and adds the results to it.
    fn apply(&self, row: &mut CheckRow) {
        let builder = self.builder.as_ref();
        if let Some(builder) = builder.filter(|_| row.status == CheckStatus::Ok) {
            builder.build(row);
        }
        let baseline = self.baseline.as_ref();
        if let Some(note) = baseline.and_then(|baseline| baseline.compare(row)) {
            row.notes.push(note);
        }
    }
}

/// Checks all combinations, and prints the row of each.
fn schedule(
    session: &NixSession,
    work: &CheckWork,
    tests: &RowTests<'_>,
    output: &mut Output,
) -> Result<CheckSummary> {
    let mut broken = None;
    let mut extra = 0;
    let mut summary = Scheduler::run(work, &session.interrupts, |event| {
        let mut row = match event {
            CheckEvent::Row(row) => *row,
            CheckEvent::CheckProgress(standing) => {
                return session.reporter.round(Some(round(&standing, work)));
            }
        };
        let was_bad = row.is_bad();
        tests.apply(&mut row);
        extra += usize::from(row.is_bad() && !was_bad);
        if let Err(error) = output.row(session, row) {
            broken.get_or_insert(error);
        }
    })?;
    session.reporter.round(None);
    summary.failed += extra;
    broken.map_or(Ok(summary), Err)
}

fn work(
    session: &NixSession,
    options: &CheckOptions,
    source: Source,
    overrides: Vec<Definition>,
) -> CheckWork {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let free = available();
    let fitting = free.map_or(processors, |bytes| {
        (bytes.saturating_sub(USUAL) / USUAL) as usize
    });
    let workers = options.workers.unwrap_or(processors.min(fitting)).max(1);
    let evaluation_source = EvaluationSource::of(&source, &session.here);
    CheckWork {
        settings: evaluation_source.settings(session.settings(false, 0)),
        source: evaluation_source,
        tree: match &source {
            Source::File(file) => folder(&file.path),
            Source::Flake(pin) => pin.source.clone(),
        },
        host: (!options.all_hosts).then(|| source.host()),
        names: options.names.clone(),
        overrides,
        combinations: match options.combinations {
            CheckCombinations::Together => Combinations::Together,
            CheckCombinations::Pairs => Combinations::Pairs,
        },
        shard: options.shard.map(|(number, count)| Shard {
            index: number - 1,
            count,
        }),
        limits: Limits {
            workers,
            seconds: options.timeout.map(|limit| limit.as_secs_f64()),
            bytes: options
                .max_memory
                .or(free.map(|bytes| share(bytes, workers as u64))),
            // If modules share the packages of a large host, they need less memory than the host.
            host_bytes: options.max_memory.or(free.map(|bytes| bytes / 4 * 3)),
        },
        share: !options.unshared,
        memory: memory(&session.options, &session.environment),
    }
}

/// Returns the memory limit of one of several workers. It is an equal part of the available memory,
/// with one more part for the template. It is at least the typical amount, but all workers together
/// never get more than is available.
fn share(available: u64, workers: u64) -> u64 {
    let fits = available / 4 * 3 / workers;
    (available / (workers + 1)).max(USUAL.min(fits))
}

/// Returns the directory of a file.
fn folder(file: &str) -> String {
    let folder = Path::new(file).parent().unwrap_or(Path::new("/"));
    folder.to_string_lossy().into_owned()
}

/// Returns the URI of `flake.nix`, or of the file in its place, relative to the top of the tree.
fn top(source: &Source) -> String {
    match source {
        Source::File(file) => {
            let name = Path::new(&file.path).file_name().unwrap_or_default();
            percent::encode(&name.to_string_lossy())
        }
        // The directory in a pin is already percent-encoded.
        Source::Flake(pin) => match directory(&pin.locked) {
            "" => "flake.nix".into(),
            directory => format!("{directory}/flake.nix"),
        },
    }
}

/// Describes the progress of the check for the progress bar.
fn round(standing: &CheckProgress, work: &CheckWork) -> TaskProgress {
    let more = match work.combinations {
        Combinations::Pairs => ", then pairs",
        Combinations::Together => "",
    };
    let CheckProgress {
        done,
        known,
        under_way,
        host,
    } = standing;
    TaskProgress {
        what: "check",
        name: match host.as_str() {
            "" => "opening the flake".into(),
            host => {
                format!("{done} of {known}{more}; evaluating {under_way} for {host}")
            }
        },
        done: *done as u64,
        share: *done as f64 / (*known).max(1) as f64,
        left: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_at_most_the_available_memory() {
        assert_eq!(share(12 << 30, 3), 3 << 30);
        // A worker gets the typical amount if that much is available.
        assert_eq!(share(3 << 30, 2), USUAL);
        for available in [256 << 20, 1 << 30, 2 << 30] {
            for workers in 1..=4 {
                let each = share(available, workers);
                assert!(
                    each <= USUAL && each * workers < available,
                    "{available} {workers}"
                );
            }
        }
    }
}
