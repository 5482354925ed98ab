//! The activator's role: the only writer of the state, and the only one that switches.
//!
//! Lock, compare, root, write down what is about to happen, switch, look, write down what is. Nothing is recorded as active
//! before it is; whatever kills this process, the state says how far it came.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::switch::{Switch, Verdict};
use super::{Activated, Answer, Request};
use crate::error::{Failure, describe};
use crate::fault::{self, Point, step};
use crate::libnix::{Libnix, Settings, Store};
use crate::locations::Locations;
use crate::record::{
    Change, Entry, Outcome, Pin, SCHEMA, State, Step, Wanted, append_history, hold, prune_roots,
    read_history, replace_root, running,
};
use crate::timings::{Phase, milliseconds};
use crate::worker::{Greeting, receive, send};

/// Past systems of this boot that are kept from the collector.
const KEPT: usize = 10;

/// Runs the role on stdin and stdout.
pub fn run() -> Result<()> {
    serve(BufReader::new(std::io::stdin()), std::io::stdout())
}

/// Makes this process deaf to what a terminal or an elevation program sends to end it: a switch that has begun goes on.
/// Handlers, unlike ignored signals, are not inherited by the switch program.
pub(super) fn deaf() -> Result<Signals> {
    Signals::new([SIGINT, SIGTERM, SIGHUP]).context("take over the signals")
}

/// Greets, waits for one request, and carries it out. Nothing happens if the client hangs up before.
pub(super) fn serve(mut from: impl BufRead, mut to: impl Write) -> Result<()> {
    send(&mut to, &Greeting::ours())?;
    let request = match receive::<Request>(&mut from) {
        Ok(Some(request)) => request,
        // A connection that breaks off is a client that had nothing to ask.
        Ok(None) => return Ok(()),
        Err(error) if error.downcast_ref::<std::io::Error>().is_some() => return Ok(()),
        Err(error) => return Err(error),
    };
    fault::arm(request.fault.as_deref())?;
    let _deaf = deaf()?;
    // From here on a client that is gone is no reason to stop.
    let mut say = |answer: &Answer| {
        let _ = send(&mut to, answer);
    };
    let answer = match activate(&request, |line| {
        say(&Answer::Line {
            line: line.to_string(),
        });
    }) {
        Ok(activated) => Answer::Done {
            activated: Box::new(activated),
        },
        Err(error) => Answer::Refused {
            failed: describe(&error),
        },
    };
    say(&answer);
    Ok(())
}

/// Carries out a request. An error means that nothing was begun; what went wrong later is in the result.
fn activate(request: &Request, mut say: impl FnMut(&str)) -> Result<Activated> {
    let begun = Instant::now();
    let locations = Locations::new(&request.root, PathBuf::new());
    valid(request)?;

    // 1. Nobody else, and nobody since the plan was made. What is to be written can be.
    let _held = step(Point::Held, || hold(&locations, &request.purpose))?;
    let mut state = State::read(&locations)?;
    step(Point::Compare, || unmoved(request, &state, &locations))?;
    read_history(&locations)?;

    // 2. What is to run, and what ran, stay in the store.
    let store = open_store(request)?;
    step(Point::Root, || root(request, &store, &locations))?;
    let log = locations
        .logs()
        .join(format!("{}.log", request.transaction));
    let switch = Switch::prepare(&store.real_path(&request.to)?, &log, &locations)?;

    // 3. What is about to happen is written down before it does.
    state.begin(&change(request));
    step(Point::Begin, || state.write(&locations))?;

    // 4. The switch, unless it is the running system that is wanted.
    let mut activated = Activated {
        outcome: Outcome::Activated,
        explanation: String::new(),
        status: None,
        failed_units: Vec::new(),
        last_lines: Vec::new(),
        warnings: Vec::new(),
        log,
        revision: state.revision,
        milliseconds: 0.0,
    };
    if request.force || request.from.as_ref() != Some(&request.to) {
        let transaction = Transaction {
            request,
            store: &store,
            locations: &locations,
        };
        transaction.switch(switch, &mut state, &mut activated, &mut say);
    }

    // 5. What is true now is written down: the state first, it is the only truth.
    activated.milliseconds = milliseconds(begun.elapsed());
    state.end(&change(request), activated.outcome);
    activated.revision = state.revision;
    let mut warn = |what: Result<()>| {
        activated
            .warnings
            .extend(what.err().map(|error| format!("{error:#}")));
    };
    warn(step(Point::Commit, || state.write(&locations)));
    let entry = entry(request, &state, activated.outcome, activated.milliseconds);
    warn(step(Point::History, || append_history(&locations, &entry)));
    let wanted = Wanted {
        schema: SCHEMA,
        modules: state.wanted.clone(),
    };
    warn(step(Point::Wanted, || wanted.write(&locations)));
    warn(step(Point::Release, || keep_roots(&locations, &state)));
    Ok(activated)
}

/// Refuses what no client of ours asks: parts of a request become paths.
fn valid(request: &Request) -> Result<()> {
    let name = &request.transaction;
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if plain && request.root.is_absolute() && Path::new(&request.to).is_absolute() {
        return Ok(());
    }
    Err(Failure::Internal
        .error("activate: the request is malformed")
        .into())
}

/// Refuses a plan that was made against another state, or while another system ran.
fn unmoved(request: &Request, state: &State, locations: &Locations) -> Result<()> {
    let runs = running(locations);
    if state.revision == request.revision && runs == request.from {
        return Ok(());
    }
    let what = if state.revision == request.revision {
        format!(
            "the running system is now {}",
            runs.as_deref().unwrap_or("none")
        )
    } else {
        format!(
            "the state is now at revision {}, and the plan was made at {}",
            state.revision, request.revision
        )
    };
    Err(Failure::Refused
        .error(format!(
            "{}: something else changed the system meanwhile: {what}",
            request.purpose
        ))
        .hint("`runtime-module status` shows what is on now; then try again")
        .into())
}

fn open_store(request: &Request) -> Result<Store> {
    let settings = Settings {
        store: request.store.clone(),
        ..Settings::default()
    };
    Ok(Libnix::open(settings, |_| {})?.store)
}

/// Keeps from the collector what is to run, what ran, what `reset` goes back to, and the source.
fn root(request: &Request, store: &Store, locations: &Locations) -> Result<()> {
    for (path, what) in [
        (Some(&request.to), "activate"),
        (request.base.as_ref(), "reset to"),
    ] {
        if let Some(path) = path
            && !store.is_valid(path)?
            && request.from.as_ref() != Some(path)
        {
            return Err(Failure::Refused
                .error(format!(
                    "{}: {path}, which is to {what}, is not in the store",
                    request.purpose
                ))
                .hint("try again: it may have been collected meanwhile")
                .into());
        }
    }
    let sources = request.pin.iter().flat_map(Pin::sources);
    let systems = [
        Some(&request.to),
        request.from.as_ref(),
        request.base.as_ref(),
    ];
    let systems = systems.into_iter().flatten().map(String::as_str);
    for path in systems.chain(sources) {
        // What is not in this store (a system that was put there by other means) cannot be kept by it.
        if store.is_valid(path).unwrap_or(false) {
            replace_root(locations, store, &root_name(path), path)?;
        }
    }
    Ok(())
}

/// The part of a request that changes the state.
fn change(request: &Request) -> Change<'_> {
    Change {
        transaction: &request.transaction,
        from: request.from.as_deref(),
        to: &request.to,
        base: request.base.as_deref(),
        pin: request.pin.as_ref(),
        wanted: &request.wanted,
    }
}

/// What a switch works with.
struct Transaction<'a> {
    request: &'a Request,
    store: &'a Store,
    locations: &'a Locations,
}

impl Transaction<'_> {
    /// Switches, looks at what runs then, and goes back if that is not what was wanted.
    fn switch(
        &self,
        switch: Switch,
        state: &mut State,
        activated: &mut Activated,
        say: &mut impl FnMut(&str),
    ) {
        let request = self.request;
        let switched = match step(Point::Switch, || switch.run(&mut *say)) {
            Ok(switched) => switched,
            Err(error) => {
                activated.outcome = Outcome::Unchanged;
                activated.explanation = format!("{}: {error:#}", request.purpose);
                return;
            }
        };
        self.step(state, Step::Verifying, activated);
        let runs = running(self.locations);
        activated.status = switched.status;
        activated.failed_units.clone_from(&switched.failed_units);
        let mut why = switched.explanation();
        activated.outcome = match switched.verdict(runs != request.from) {
            Verdict::Well | Verdict::UnitsFailed if runs.as_ref() != Some(&request.to) => {
                let runs = runs.as_deref().unwrap_or("nothing");
                why = format!("the switch program said that all is well, but {runs} is what runs");
                self.go_back(state, activated, say)
            }
            Verdict::Well => Outcome::Activated,
            Verdict::UnitsFailed => Outcome::UnitsFailed,
            Verdict::Refused => Outcome::Unchanged,
            Verdict::Failed => self.go_back(state, activated, say),
        };
        if activated.outcome == Outcome::Activated {
            return;
        }
        activated.last_lines.clone_from(&switched.last_lines);
        let end = match activated.outcome {
            Outcome::Returned => "; the previous system is active again",
            Outcome::Stranded => ", and the return to the previous system failed too",
            Outcome::Activated | Outcome::UnitsFailed | Outcome::Unchanged => "",
        };
        activated.explanation = format!("{}: {why}{end}", request.purpose);
    }

    /// Activates the system that ran before.
    fn go_back(
        &self,
        state: &mut State,
        activated: &mut Activated,
        say: &mut impl FnMut(&str),
    ) -> Outcome {
        let Some(from) = &self.request.from else {
            return Outcome::Stranded;
        };
        self.step(state, Step::Returning, activated);
        say("activating the previous system again");
        let log = format!("{}-return.log", self.request.transaction);
        let real = self
            .store
            .real_path(from)
            .unwrap_or_else(|_| PathBuf::from(from));
        let returned = Switch::prepare(&real, &self.locations.logs().join(log), self.locations)
            .and_then(|switch| switch.run(say));
        let well = match returned {
            Ok(switched) => matches!(switched.verdict(true), Verdict::Well | Verdict::UnitsFailed),
            Err(error) => {
                activated.warnings.push(format!("{error:#}"));
                false
            }
        };
        if well && running(self.locations).as_ref() == Some(from) {
            Outcome::Returned
        } else {
            Outcome::Stranded
        }
    }

    /// Writes down how far it is. What cannot be written now is no reason to leave a machine between two systems.
    fn step(&self, state: &mut State, step: Step, activated: &mut Activated) {
        state.step(step);
        if let Err(error) = state.write(self.locations) {
            activated.warnings.push(format!("{error:#}"));
        }
    }
}

fn entry(request: &Request, state: &State, outcome: Outcome, time: f64) -> Entry {
    let mut phases = request.phases.clone();
    phases.append(Phase::Activate, Duration::from_secs_f64(time / 1e3));
    Entry {
        revision: state.revision,
        transaction: request.transaction.clone(),
        time: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs()),
        modules: request.wanted.clone(),
        from: request.from.clone(),
        to: request.to.clone(),
        outcome,
        phases,
    }
}

/// Keeps what runs, its base, and the last systems of the history; lets go of the others.
fn keep_roots(locations: &Locations, state: &State) -> Result<()> {
    let mut keep: BTreeSet<String> = BTreeSet::new();
    keep.extend(state.base.iter().map(|base| root_name(&base.toplevel)));
    keep.extend(state.current.iter().map(|toplevel| root_name(toplevel)));
    keep.extend(state.pin.iter().flat_map(Pin::sources).map(root_name));
    for entry in read_history(locations)?.iter().rev().take(KEPT) {
        keep.insert(root_name(&entry.to));
        keep.extend(entry.from.iter().map(|from| root_name(from)));
    }
    prune_roots(locations, &keep)
}

/// A root is named by what it keeps, so that two entries of the history share one.
fn root_name(path: &str) -> String {
    Path::new(path)
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
