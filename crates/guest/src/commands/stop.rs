//! `stop`: shuts guests down, and ends those that do not shut down in time.

use std::time::Duration;

use anyhow::Result;
use runtime_module_core::output::{document, say};
use runtime_module_core::progress::for_stdout;
use schemars::JsonSchema;
use serde::Serialize;

use super::running::running;
use crate::error::GuestError;
use crate::protocol::{Event, Events, Request, connect};
use crate::session::Session;

/// The JSON document that `stop` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StoppedGuests {
    /// The version of this document.
    schema: u64,
    /// The names of the guests that were stopped.
    stopped: Vec<String>,
}

/// Stops all named guests, and prints the result.
pub fn run(session: &Session, names: &[String], timeout: Duration) -> Result<u8> {
    let stopped = stop(session, names, timeout)?;
    let text = format!("stopped {}\n", stopped.join(", "));
    say(match session.json {
        true => document(&StoppedGuests { schema: 1, stopped })?,
        false => for_stdout(&text),
    })?;
    Ok(0)
}

/// Stops all named guests. They shut down at the same time.
pub(super) fn stop(session: &Session, names: &[String], timeout: Duration) -> Result<Vec<String>> {
    let timeout = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    // Check all names before anything ends.
    let guests = names.iter().map(|name| running(session, name));
    let guests = guests.collect::<Result<Vec<_>>>()?;
    let mut waiting = Vec::new();
    for (name, folder) in guests {
        // A guest that has just ended is stopped too.
        let stream = connect(&folder, Request::Stop { timeout });
        waiting.push((name, stream.ok().map(Events::of)));
    }
    let mut stopped = Vec::new();
    for (name, events) in waiting {
        if let Some(mut events) = events {
            wait_for_end(&mut events, name.as_str())?;
        }
        stopped.push(name.to_string());
    }
    Ok(stopped)
}

fn wait_for_end(events: &mut Events, name: &str) -> Result<()> {
    while let Some(event) = events.next()? {
        if let Event::Ended { error } = event {
            // The supervisor closes the connection when it exits.
            while events.next()?.is_some() {}
            return error.map_or(Ok(()), |error| Err((*error).into()));
        }
    }
    let name = name.into();
    Err(GuestError::SupervisorLost { name }.into())
}
