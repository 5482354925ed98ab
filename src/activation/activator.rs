//! The activator's role: the only writer of the state, and the only one that switches.
//!
//! Lock, compare, root, write down what is about to happen, switch, look, write down what is. Nothing is recorded as active
//! before it is; whatever kills this process, the state says how far it came.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;

use super::switch::{self, Verdict};
use super::{Activated, Answer, Request};
use crate::error::{Failure, describe};
use crate::libnix::Libnix;
use crate::locations::Locations;
use crate::record::{
    Base, Entry, Outcome, Pending, SCHEMA, State, Step, Wanted, append_history, hold, prune_roots,
    read_history, replace_root, write_json,
};
use crate::timings::{Phase, milliseconds};
use crate::worker::{Greeting, receive, send};

/// Past systems of this boot that are kept from the collector.
const KEPT: usize = 10;

/// Runs the role on stdin and stdout.
pub fn run() -> Result<()> {
    // The terminal's Ctrl-C is the client's; a switch that has begun goes on.
    let _ = unix::unistd::setsid();
    serve(BufReader::new(std::io::stdin()), std::io::stdout())
}

/// Greets, waits for one request, and carries it out. Nothing happens if the client hangs up before.
pub fn serve(mut from: impl BufRead, mut to: impl Write) -> Result<()> {
    send(&mut to, &Greeting::ours())?;
    let request = match receive::<Request>(&mut from) {
        Ok(Some(request)) => request,
        // A connection that breaks off is a client that had nothing to ask.
        Ok(None) => return Ok(()),
        Err(error) if error.downcast_ref::<std::io::Error>().is_some() => return Ok(()),
        Err(error) => return Err(error),
    };
    // From here on a client that is gone is no reason to stop.
    let mut say = |answer: &Answer| {
        let _ = send(&mut to, answer);
    };
    let answer = match activate(&request, |line| {
        say(&Answer::Line {
            line: line.to_string(),
        })
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

fn activate(request: &Request, mut say: impl FnMut(&str)) -> Result<Activated> {
    let begun = Instant::now();
    let locations = Locations::new(&request.root, PathBuf::new());

    // 1. Nobody else, and nobody since the plan was made.
    let _held = hold(&locations, &request.purpose)?;
    let mut state = State::read(&locations)?;
    unmoved(request, &state, &locations)?;

    // 2. What is to run, and what ran, stay in the store.
    let libnix = Libnix::open(request.settings.clone(), |_| {})?;
    if !libnix.store.is_valid(&request.to)? {
        return Err(Failure::Refused
            .error(format!("activate {}: it is not in the store", request.to))
            .hint("try again: it may have been collected meanwhile")
            .into());
    }
    replace_root(
        &locations,
        &libnix.store,
        &root_name(&request.to),
        &request.to,
    )?;
    let source = request.pin.as_ref().map(|pin| &pin.source);
    for path in [request.from.as_ref(), request.base.as_ref(), source]
        .into_iter()
        .flatten()
    {
        // What is not in this store (a system that was put there by other means) cannot be kept by it.
        if libnix.store.is_valid(path).unwrap_or(false) {
            replace_root(&locations, &libnix.store, &root_name(path), path)?;
        }
    }

    // 3. What is about to happen is written down before it does.
    state.pending = Some(Pending {
        transaction: request.transaction.clone(),
        step: Step::Switching,
        from: request.from.clone(),
        to: request.to.clone(),
    });
    state.write(&locations)?;

    // 4. The switch.
    let log = locations
        .logs()
        .join(format!("{}.log", request.transaction));
    let switched = switch::run(
        &libnix.store.real_path(&request.to)?,
        &log,
        &locations,
        &mut say,
    )?;

    // 5. What is true now.
    step(&mut state, &locations, Step::Verifying)?;
    let runs = running(&locations);
    let changed = runs != request.from;
    let mut activated = Activated {
        outcome: Outcome::Activated,
        explanation: switched.explanation(),
        status: switched.status,
        failed_units: switched.failed_units.clone(),
        last_lines: Vec::new(),
        log,
        revision: state.revision,
        milliseconds: 0.0,
    };
    activated.outcome = match switched.verdict(changed) {
        Verdict::Well | Verdict::UnitsFailed if runs.as_ref() != Some(&request.to) => {
            activated.explanation = format!(
                "the switch program said that all is well, but {} is what runs",
                runs.as_deref().unwrap_or("nothing")
            );
            go_back(request, &mut state, &locations, &libnix, &mut say)?
        }
        Verdict::Well => Outcome::Activated,
        Verdict::UnitsFailed => Outcome::UnitsFailed,
        Verdict::Refused => Outcome::Unchanged,
        Verdict::Failed => go_back(request, &mut state, &locations, &libnix, &mut say)?,
    };
    if activated.outcome != Outcome::Activated {
        activated.last_lines.clone_from(&switched.last_lines);
    }
    activated.explanation = explain(&activated, request);

    // 6. What is true now is written down.
    activated.milliseconds = milliseconds(begun.elapsed());
    commit(request, &mut state, &locations, &mut activated)?;
    keep_roots(&locations, &state)?;
    Ok(activated)
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

/// Activates the system that ran before.
fn go_back(
    request: &Request,
    state: &mut State,
    locations: &Locations,
    libnix: &Libnix,
    say: &mut impl FnMut(&str),
) -> Result<Outcome> {
    let Some(from) = &request.from else {
        return Ok(Outcome::Stranded);
    };
    step(state, locations, Step::Returning)?;
    say("activating the previous system again");
    let log = locations
        .logs()
        .join(format!("{}-return.log", request.transaction));
    let real = libnix
        .store
        .real_path(from)
        .unwrap_or_else(|_| PathBuf::from(from));
    let returned = switch::run(&real, &log, locations, say);
    let well = returned.is_ok_and(|switched| {
        matches!(switched.verdict(true), Verdict::Well | Verdict::UnitsFailed)
    });
    Ok(if well && running(locations).as_ref() == Some(from) {
        Outcome::Returned
    } else {
        Outcome::Stranded
    })
}

fn step(state: &mut State, locations: &Locations, step: Step) -> Result<()> {
    if let Some(pending) = &mut state.pending {
        pending.step = step;
    }
    state.write(locations)
}

fn explain(activated: &Activated, request: &Request) -> String {
    let what = &activated.explanation;
    match activated.outcome {
        Outcome::Activated => String::new(),
        Outcome::UnitsFailed => format!("{}: {what}", request.purpose),
        Outcome::Unchanged => format!("{}: {what}", request.purpose),
        Outcome::Returned => format!(
            "{}: {what}; the previous system is active again",
            request.purpose
        ),
        Outcome::Stranded => format!(
            "{}: {what}, and the return to the previous system failed too",
            request.purpose
        ),
    }
}

fn commit(
    request: &Request,
    state: &mut State,
    locations: &Locations,
    activated: &mut Activated,
) -> Result<()> {
    state.revision += 1;
    state.pending = None;
    match activated.outcome {
        Outcome::Activated | Outcome::UnitsFailed => {
            state.current = Some(request.to.clone());
            state.wanted.clone_from(&request.wanted);
            state.active.clone_from(&request.wanted);
            state.pin.clone_from(&request.pin);
            state.base = request.base.clone().map(|toplevel| Base { toplevel });
        }
        Outcome::Unchanged | Outcome::Returned => {}
        Outcome::Stranded => {
            // Nobody knows what is on.
            state.current = None;
            state.active.clear();
        }
    }
    let mut phases = request.phases.clone();
    phases.add(
        Phase::Activate,
        std::time::Duration::from_secs_f64(activated.milliseconds / 1e3),
    );
    append_history(
        locations,
        &Entry {
            revision: state.revision,
            transaction: request.transaction.clone(),
            time: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |time| time.as_secs()),
            modules: request.wanted.clone(),
            from: request.from.clone(),
            to: request.to.clone(),
            outcome: activated.outcome,
            phases,
        },
    )?;
    let wanted = Wanted {
        schema: SCHEMA,
        modules: state.wanted.clone(),
    };
    write_json(&locations.wanted(), &wanted)?;
    state.write(locations)?;
    activated.revision = state.revision;
    Ok(())
}

/// Keeps what runs, its base, and the last systems of the history; lets go of the others.
fn keep_roots(locations: &Locations, state: &State) -> Result<()> {
    let mut keep: BTreeSet<String> = BTreeSet::new();
    keep.extend(state.base.iter().map(|base| root_name(&base.toplevel)));
    keep.extend(state.current.iter().map(|toplevel| root_name(toplevel)));
    keep.extend(state.pin.iter().map(|pin| root_name(&pin.source)));
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

/// The toplevel that runs, as NixOS says; none where nothing says so.
pub fn running(locations: &Locations) -> Option<String> {
    std::fs::read_link(locations.current_system())
        .ok()
        .map(|path| path.to_string_lossy().into_owned())
}
