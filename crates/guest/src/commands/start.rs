//! `start`: starts a guest in the background, and waits until it has booted.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use runtime_module_core::error::neutral;
use runtime_module_core::output::{document, say};
use runtime_module_core::progress::for_stdout;

use crate::command::RunOptions;
use crate::error::GuestError;
use crate::launch::{LaunchedGuest, Owner, launch};
use crate::milestones::Milestone;
use crate::protocol::{Event, Events, GuestState, Request, connect};
use crate::screen;
use crate::session::Session;

/// The default time limit. An emulated guest needs minutes.
const LIMIT: Duration = Duration::from_secs(300);

/// Starts a guest, waits for the milestone, and prints the result.
pub fn run(session: &Session, options: &RunOptions) -> Result<u8> {
    let state = start(session, options)?;
    let text = format!(
        "{} runs; run `runtime-guest ssh {}` to log in\n",
        state.name, state.name
    );
    say(match session.json {
        true => document(&state)?,
        false => for_stdout(&text),
    })?;
    Ok(0)
}

/// Starts a guest and waits for the milestone.
pub(super) fn start(session: &Session, options: &RunOptions) -> Result<GuestState> {
    let mut guest = launch(session, options, Owner::Nobody)?;
    let limit = options.timeout.unwrap_or(LIMIT);
    wait(session, &guest, options.wait_for, limit).inspect_err(|_| {
        end(&guest);
        guest.wait();
    })
}

/// Waits until the guest has reached a milestone, and returns its state.
fn wait(
    session: &Session,
    guest: &LaunchedGuest,
    milestone: Milestone,
    limit: Duration,
) -> Result<GuestState> {
    let deadline = Instant::now() + limit;
    let name = guest.name.to_string();
    let stream = guest
        .stream
        .try_clone()
        .context("cannot share a connection")?;
    let mut events = Events::of(stream);
    let mut state: Option<GuestState> = None;
    loop {
        guest.check_interrupt()?;
        let event = match events.next_within(deadline)? {
            Some(Some(event)) => event,
            Some(None) => return Err(GuestError::SupervisorLost { name }.into()),
            None if Instant::now() < deadline => continue,
            None => return Err(too_slow(guest, state.as_ref(), milestone, limit)),
        };
        match event {
            Event::State(new) => {
                print(session, &screen::hardware(&new), new.accelerator.is_some());
                for reached in &new.milestones {
                    print(session, &screen::milestone(*reached), true);
                }
                state = Some(*new);
            }
            Event::Note { text } => print(session, &format!("note: {}", neutral(&text)), true),
            Event::Milestone(reached) => {
                print(session, &screen::milestone(reached), true);
                if let Some(state) = &mut state {
                    state.milestones.push(reached);
                }
            }
            Event::Ended { error: Some(error) } => return Err((*error).into()),
            Event::Ended { error: None } => {
                let milestone = milestone.to_string();
                return Err(GuestError::EndedEarly { name, milestone }.into());
            }
        }
        if let Some(state) = state.take_if(|state| has_reached(state, milestone)) {
            return Ok(state);
        }
    }
}

/// Returns whether a guest has reached a milestone, or a later one.
fn has_reached(state: &GuestState, milestone: Milestone) -> bool {
    // sshd can answer before multi-user.target is reached, so these two do not imply each other.
    let implies = |other: Milestone| {
        other == milestone || other > milestone && milestone < Milestone::MultiUser
    };
    state.milestones.iter().any(|reached| implies(reached.name))
}

fn print(session: &Session, text: &str, shown: bool) {
    if shown && !session.json {
        screen::line(text, false);
    }
}

/// Returns the error for a guest that did not reach a milestone in time.
fn too_slow(
    guest: &LaunchedGuest,
    state: Option<&GuestState>,
    milestone: Milestone,
    limit: Duration,
) -> anyhow::Error {
    let last = state.and_then(|state| state.milestones.last());
    let reached = match last {
        Some(last) => format!(
            "its last milestone was {}, after {:.1} s",
            last.name, last.seconds
        ),
        None => "it reached no milestone".into(),
    };
    let error = GuestError::TooSlow {
        name: guest.name.to_string(),
        milestone: milestone.to_string(),
        seconds: limit.as_secs(),
        reached,
    };
    let lines = super::logs::last_lines(&guest.folder, 5);
    let failed = runtime_module_core::error::Failed::from(error);
    lines
        .iter()
        .fold(failed, |failed, line| failed.detail(neutral(line)))
        .into()
}

/// Ends a guest that did not boot, and waits until nothing is left of it.
fn end(guest: &LaunchedGuest) {
    if let Ok(stream) = connect(&guest.folder, Request::Stop { timeout: 0 }) {
        let mut events = Events::of(stream);
        while let Ok(Some(_)) = events.next() {}
    }
}
