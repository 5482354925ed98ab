//! `check`: evaluates every module of a host, or of all hosts, alone and together, to the
//! toplevel's derivation.

mod formats;
mod junit;
mod people;
mod since;

use std::io::IsTerminal as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::{Printed, Session, list, say};
use crate::checking::{
    Baseline, Combinations, Limits, Pool, Row, Shard, Standing, Status, Summary, Told, Work,
};
use crate::cli::{Check, CheckCombinations, CheckFormat};
use crate::error::{Failure, describe};
use crate::evaluation::{
    FlakeSource, ModuleRequest, Request, Target, available, directory, evaluate,
};
use crate::libnix::{Event, Libnix};
use crate::percent;
use crate::plan::Situation;
use crate::progress::{Round, for_stdout};
use crate::realise::{query, realise};
use crate::record::Pin;
use crate::session::memory;

/// Unshared memory of a typical NixOS evaluation. More workers than fit into memory would only
/// swap.
const USUAL: u64 = 1 << 30;

/// Runs the check.
pub fn run(session: &Session, args: &Check) -> Result<()> {
    let situation = Situation::read(&session.locations)?;
    let pin = list::source(session, &situation)?;
    let baseline = args
        .baseline
        .as_deref()
        .map(|file| Baseline::read(file, args.tolerance))
        .transpose()?;
    let format = if session.global.json {
        CheckFormat::Json
    } else {
        args.format
    };
    let mut output = Output {
        format,
        top: top(&pin),
        rows: Vec::new(),
        notes: Vec::new(),
    };
    if let Some(revision) = &args.changed_since {
        let reason = since::reason(session, &pin, revision)?;
        let nothing = || format!("nothing that affects evaluation has changed since {revision}");
        output.note(session, reason.clone().unwrap_or_else(nothing));
        if reason.is_none() {
            return output.end(session, &Summary::default());
        }
    }
    let work = work(session, args, &pin);
    let builder = args
        .build
        .then(|| Builder::new(session, &pin))
        .transpose()?;
    output.begin(session)?;
    let mut broken = None;
    let mut extra = 0;
    let mut summary = Pool::run(&work, &session.interrupts, |told| {
        let mut row = match told {
            Told::Row(row) => *row,
            Told::Standing(standing) => {
                return session.reporter.round(Some(round(&standing, &work)));
            }
        };
        let was_bad = row.is_bad();
        if let Some(builder) = builder.as_ref().filter(|_| row.status == Status::Ok) {
            builder.build(&mut row);
        }
        if let Some(note) = baseline
            .as_ref()
            .and_then(|baseline| baseline.compare(&mut row))
        {
            row.notes.push(note);
        }
        extra += usize::from(row.is_bad() && !was_bad);
        if let Err(error) = output.row(session, row) {
            broken.get_or_insert(error);
        }
    })?;
    session.reporter.round(None);
    summary.failed += extra;
    broken.map_or(Ok(()), Err)?;
    output.end(session, &summary)
}

fn work(session: &Session, args: &Check, pin: &Pin) -> Work {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let free = available();
    let fitting = free.map_or(processors, |bytes| {
        (bytes.saturating_sub(USUAL) / USUAL) as usize
    });
    let workers = args.workers.unwrap_or(processors.min(fitting)).max(1);
    let flake = FlakeSource::of(pin, &session.here);
    Work {
        settings: flake.settings(session.settings(false, 0)),
        flake,
        source: match &pin.file {
            Some(file) => folder(&file.path),
            None => pin.source.clone(),
        },
        host: (!args.all_hosts).then(|| pin.host.clone()),
        names: args.names.clone(),
        combinations: match args.combinations {
            CheckCombinations::Together => Combinations::Together,
            CheckCombinations::Pairs => Combinations::Pairs,
        },
        shard: args.shard.map(|(number, count)| Shard {
            index: number - 1,
            count,
        }),
        limits: Limits {
            workers,
            seconds: args.timeout.map(|limit| limit.as_secs_f64()),
            bytes: args
                .max_memory
                .or(free.map(|bytes| share(bytes, workers as u64))),
            // If modules share the packages of a large host, they need less memory than the host.
            host_bytes: args.max_memory.or(free.map(|bytes| bytes / 4 * 3)),
        },
        share: !args.unshared,
        memory: memory(&session.global, &session.environment),
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
fn top(pin: &Pin) -> String {
    if let Some(file) = &pin.file {
        let name = Path::new(&file.path).file_name().unwrap_or_default();
        return percent::encode(&name.to_string_lossy());
    }
    // A pin is already escaped like this.
    match directory(&pin.locked) {
        "" => "flake.nix".into(),
        directory => format!("{directory}/flake.nix"),
    }
}

fn request(session: &Session, pin: &Pin, host: &str, modules: &[String]) -> Request {
    let flake = FlakeSource::of(pin, &session.here);
    Request {
        modules: modules
            .iter()
            .map(|name| ModuleRequest::named(name))
            .collect(),
        ..Request::of(session.settings(true, 0), flake, host, Target::Toplevel)
    }
}

/// Builds the combinations that evaluate.
struct Builder<'a> {
    session: &'a Session,
    pin: &'a Pin,
    libnix: Libnix,
}

impl<'a> Builder<'a> {
    fn new(session: &'a Session, pin: &'a Pin) -> Result<Self> {
        let reporter = session.reporter.clone();
        let libnix = Libnix::open(session.settings(false, 1), move |event: Event| {
            reporter.libnix(event)
        })?;
        Ok(Self {
            session,
            pin,
            libnix,
        })
    }

    /// Evaluates the combination again, because a fork writes no derivation, and builds it.
    fn build(&self, row: &mut Row) {
        let Self {
            session,
            pin,
            libnix,
        } = self;
        let silent = crate::progress::Reporter::silent();
        let make = || -> Result<()> {
            let request = request(session, pin, &row.host, &row.modules);
            let evaluation = evaluate(
                session.evaluator(&request.settings)?,
                &request,
                &session.interrupts,
                &silent,
            )?;
            let derivations: Vec<_> = evaluation.evaluated.toplevel.iter().cloned().collect();
            for derivation in &derivations {
                libnix.store.add_temp_root(&derivation.drv)?;
            }
            evaluation.release()?;
            let missing = query(libnix, &derivations, &session.reporter)?;
            realise(
                libnix,
                &derivations,
                missing,
                &session.interrupts,
                &session.reporter,
            )
            .map(drop)
        };
        if let Err(error) = make() {
            row.status = Status::NotBuilt;
            row.error = Some(describe(&error));
        }
    }
}

/// The output of the rows.
struct Output {
    format: CheckFormat,
    /// URI of the main file, relative to the top of its tree.
    top: String,
    rows: Vec<Row>,
    /// Notes to print at the end, which fail nothing.
    notes: Vec<String>,
}

impl Output {
    fn begin(&self, session: &Session) -> Result<()> {
        match self.format {
            CheckFormat::Table => say_beside(session, people::head()),
            _ => Ok(()),
        }
    }

    /// Prints a note at once, or keeps it for the end of a JSON document.
    fn note(&mut self, session: &Session, note: String) {
        match self.format {
            CheckFormat::Json => self.notes.push(note),
            _ => session.reporter.note(note),
        }
    }

    fn row(&mut self, session: &Session, row: Row) -> Result<()> {
        match self.format {
            CheckFormat::Table => say_beside(session, for_stdout(&people::row(&row)))?,
            CheckFormat::Jsonl => say_beside(
                session,
                serde_json::to_string(&row).context("cannot write JSON")? + "\n",
            )?,
            CheckFormat::Github => say_beside(session, formats::github(&row))?,
            _ => {}
        }
        self.notes.extend(row.notes.clone());
        self.rows.push(row);
        Ok(())
    }

    fn end(mut self, session: &Session, summary: &Summary) -> Result<()> {
        session.interrupts.settle();
        // In these formats stdout is for machines and does not contain the notes.
        if let CheckFormat::Jsonl | CheckFormat::Junit | CheckFormat::Sarif = self.format {
            for note in &self.notes {
                session.reporter.note(note);
            }
        }
        session.reporter.finish();
        // Sort the rows, because they arrive in any order.
        self.rows.sort_by(|a, b| {
            (&a.host, a.modules.len(), &a.modules).cmp(&(&b.host, b.modules.len(), &b.modules))
        });
        let Self { rows, notes, .. } = &self;
        let text = match self.format {
            CheckFormat::Table => for_stdout(&people::foot(summary, notes)),
            CheckFormat::Jsonl => json!({ "schema": 1, "summary": summary }).to_string() + "\n",
            CheckFormat::Json => {
                let document =
                    json!({ "schema": 1, "results": rows, "summary": summary, "notes": notes });
                super::document(&document)?
            }
            CheckFormat::Junit => junit::junit(rows, summary)?,
            // Each note was printed as an annotation.
            CheckFormat::Github => people::foot(summary, &[]),
            CheckFormat::Sarif => formats::sarif(rows, &self.top)?,
            CheckFormat::Markdown => people::markdown(rows, summary, notes),
        };
        say(&text)?;
        if summary.failed == 0 {
            return Ok(());
        }
        let failed = Failure::Evaluation.error(format!(
            "check failed for {} of {} combinations",
            summary.failed, summary.checked
        ));
        match self.format {
            // The document already contains everything.
            CheckFormat::Json => Err(anyhow::Error::from(failed).context(Printed)),
            _ => Err(failed.into()),
        }
    }
}

/// Prints a part of the result while the check runs. If bars are drawn on the same terminal, the
/// renderer prints it.
fn say_beside(session: &Session, text: String) -> Result<()> {
    if session.reporter.draws() && std::io::stdout().is_terminal() {
        session.reporter.row(text);
        return Ok(());
    }
    say(&text)
}

/// Makes the progress of the check for the bar.
fn round(standing: &Standing, work: &Work) -> Round {
    let more = match work.combinations {
        Combinations::Pairs => ", then pairs",
        Combinations::Together => "",
    };
    let Standing {
        done,
        known,
        under_way,
        host,
    } = standing;
    Round {
        what: "check",
        name: match host.as_str() {
            "" => "opening the flake".into(),
            host => format!("{done} of {known}{more}, {under_way} running for {host}"),
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
        // The typical amount, if it is available.
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
