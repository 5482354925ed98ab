//! The relay is the root process that is connected to the client. It stores the request, starts the
//! activator in its own unit or session, and sends the log and the outcome to the client.
//!
//! The relay holds no lock, opens no store and changes no state. If it is killed or loses its
//! connection, the activation continues.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::client::aftermath;
use super::log::{POLL_INTERVAL, Tail};
use super::{ActivationMessage, Request, unit};
use crate::error::{TransactionError, describe};
use crate::fault::{self, Point, step};
use crate::locations::Locations;
use crate::messages::{Greeting, receive, send};
use crate::record::{
    create_log, forget_log, forget_outcome, hand_over, is_transaction, not_held, outcome, withdraw,
};

/// Runs the relay on stdin and stdout.
pub fn run() -> Result<()> {
    serve(BufReader::new(std::io::stdin()), std::io::stdout())
}

/// Catches the signals by which a terminal or an elevation program would end this process. Installs
/// handlers instead of ignoring these signals, because the switch program would inherit ignored
/// signals, but does not inherit handlers.
pub(super) fn catch_signals() -> Result<Signals> {
    Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot catch signals")
}

/// Sends the greeting, waits for one request, and carries it out through the activator. Does
/// nothing if the client disconnects before it sends a request.
pub(super) fn serve(mut from: impl BufRead + Send + 'static, mut to: impl Write) -> Result<()> {
    send(&mut to, &Greeting::ours())?;
    let request = match receive::<Request>(&mut from) {
        Ok(Some(request)) => request,
        // The connection broke before the client sent a request.
        Ok(None) => return Ok(()),
        Err(error) if error.downcast_ref::<std::io::Error>().is_some() => return Ok(()),
        Err(error) => return Err(error),
    };
    fault::arm(request.fault.as_deref())?;
    let _signals = catch_signals()?;
    let gone = watch_connection(from);
    let answer = match relay(&request, &gone, |line| {
        send(&mut to, &ActivationMessage::Line { line })
    }) {
        Ok(Some(answer)) => answer,
        // The client has disconnected.
        Ok(None) => return Ok(()),
        Err(error) => ActivationMessage::Refused {
            failed: describe(&error),
        },
    };
    let _ = send(&mut to, &answer);
    Ok(())
}

/// Returns a flag that is set when the client disconnects.
fn watch_connection(mut from: impl Read + Send + 'static) -> Arc<AtomicBool> {
    let gone = Arc::new(AtomicBool::new(false));
    let flag = gone.clone();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut std::io::sink());
        flag.store(true, Ordering::SeqCst);
    });
    gone
}

/// Starts the activator for a request, and forwards the log lines. Returns `None` if the client has
/// disconnected, or must follow the transaction without the relay.
fn relay(
    request: &Request,
    gone: &AtomicBool,
    say: impl FnMut(String) -> Result<()>,
) -> Result<Option<ActivationMessage>> {
    let name = &request.transaction;
    if !is_transaction(name) || !request.root.is_absolute() {
        return Err(TransactionError::MalformedRequest.into());
    }
    let locations = Locations::new(&request.root, request.root.clone());
    if request.wait == 0 {
        not_held(&locations)?;
    }
    drop(create_log(&locations.log(name))?);
    step(Point::RelayRequest, || hand_over(&locations, name, request)).inspect_err(|_| {
        withdraw(&locations, name);
    })?;
    let activator = match step(Point::RelayStart, || unit::start(name, &locations)) {
        Ok(activator) => activator,
        // The relay withdrew the request before an activator took it, so nothing was changed.
        Err(error) if withdraw(&locations, name) => return Err(error),
        // An activator has already taken the request. The client can follow the transaction without
        // the relay.
        Err(_) => return Ok(None),
    };
    let followed = step(Point::RelayFollow, || {
        follow(request, activator, &locations, gone, say)
    });
    // The activation has begun and continues without the relay, so an error must not look like a
    // refusal.
    Ok(followed.unwrap_or(None))
}

/// Forwards the log until the outcome exists or the activator has exited.
fn follow(
    request: &Request,
    mut activator: unit::ActivatorProcess,
    locations: &Locations,
    gone: &AtomicBool,
    mut say: impl FnMut(String) -> Result<()>,
) -> Result<Option<ActivationMessage>> {
    let name = &request.transaction;
    let mut tail = Tail::open(&locations.log(name))?;
    loop {
        // Check in this order, because an activator writes its outcome before it exits.
        let up = activator.is_up(locations);
        let answer = outcome::<ActivationMessage>(locations, name)?;
        for line in tail.lines(answer.is_some() || !up) {
            if say(line).is_err() {
                return Ok(None);
            }
        }
        if let Some(answer) = answer {
            if matches!(answer, ActivationMessage::Refused { .. }) {
                forget_log(locations, name);
            }
            forget_outcome(locations, name);
            return Ok(Some(answer));
        }
        if !up {
            return Ok(Some(aftermath(locations, request)));
        }
        if gone.load(Ordering::SeqCst) {
            return Ok(None);
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}
