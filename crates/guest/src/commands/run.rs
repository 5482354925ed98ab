//! `run`: starts a guest with its console on this terminal. The guest ends with this command.

use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use runtime_module_core::error::{Failed, neutral};
use runtime_module_core::output::{document, say};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::command::RunOptions;
use crate::error::GuestError;
use crate::launch::{LaunchedGuest, Owner, launch};
use crate::protocol::{Event, Events, GuestState, Request, connect};
use crate::screen;
use crate::session::Session;
use crate::terminal::{RawMode, copy_input, copy_output};

/// Starts a guest and waits until it ends.
pub fn run(session: &Session, options: &RunOptions) -> Result<u8> {
    let mut guest = launch(session, options, Owner::Command)?;
    let stopped = Arc::new(AtomicBool::new(false));
    end_on_signals(&guest.stream, stopped.clone())?;
    let console = connect(&guest.folder, Request::Console { replay: true });
    let mut raw = if session.json { None } else { RawMode::set()? };
    let mut output = None;
    // The guest can have ended already. The events then tell why.
    if let (Ok(console), false) = (console, session.json) {
        let stream = guest
            .stream
            .try_clone()
            .context("cannot share a connection")?;
        output = Some(copy_output(
            console.try_clone().context("cannot share a connection")?,
        ));
        copy_input(console, move || end(&stream));
    }
    if raw.is_some() {
        let name = &guest.name;
        screen::line(&format!("console of {name}; Ctrl-A X ends the guest"), true);
    }
    let ended = follow(&guest, raw.is_some())?;
    guest.wait();
    if let Some(output) = output {
        let _ = output.join();
    }
    if raw.take().is_some() {
        screen::line("\nthe guest has ended", false);
    }
    match ended {
        Ended::Lost => Err(GuestError::SupervisorLost {
            name: guest.name.to_string(),
        }
        .into()),
        Ended::Failed(error) => Err((*error).into()),
        Ended::Well(_) if stopped.load(Ordering::SeqCst) => Err(GuestError::Killed {
            name: guest.name.to_string(),
        }
        .into()),
        Ended::Well(state) => {
            if session.json {
                say(document(&state)?)?;
            }
            Ok(0)
        }
    }
}

/// The end of a guest.
enum Ended {
    Well(Option<Box<GuestState>>),
    Failed(Box<Failed>),
    /// The supervisor did not report the end.
    Lost,
}

/// Prints events until the guest ends.
fn follow(guest: &LaunchedGuest, raw: bool) -> Result<Ended> {
    let stream = guest
        .stream
        .try_clone()
        .context("cannot share a connection")?;
    let mut events = Events::of(stream);
    let mut last = None;
    while let Some(event) = events.next()? {
        match event {
            Event::State(state) => {
                if state.accelerator.is_some() {
                    screen::line(&screen::hardware(&state), raw);
                }
                for reached in &state.milestones {
                    screen::line(&screen::milestone(*reached), raw);
                }
                last = Some(state);
            }
            Event::Note { text } => screen::line(&format!("note: {}", neutral(&text)), raw),
            Event::Milestone(reached) => {
                screen::line(&screen::milestone(reached), raw);
                if let Some(state) = &mut last {
                    state.milestones.push(reached);
                }
            }
            Event::Ended { error: None } => return Ok(Ended::Well(last)),
            Event::Ended { error: Some(error) } => return Ok(Ended::Failed(error)),
        }
    }
    Ok(Ended::Lost)
}

/// Tells the supervisor to end the guest. It still reports the end.
fn end(stream: &UnixStream) {
    let _ = stream.shutdown(Shutdown::Write);
}

/// Ends the guest on Ctrl-C and similar signals.
fn end_on_signals(stream: &UnixStream, stopped: Arc<AtomicBool>) -> Result<()> {
    let stream = stream.try_clone().context("cannot share a connection")?;
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("cannot handle signals")?;
    std::thread::spawn(move || {
        for _ in &mut signals {
            stopped.store(true, Ordering::SeqCst);
            end(&stream);
        }
    });
    Ok(())
}
