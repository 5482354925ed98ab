//! `console`: connects this terminal with the console of a guest.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use runtime_module_core::output::{document, say};
use schemars::JsonSchema;
use serde::Serialize;

use super::running::running;
use crate::error::GuestError;
use crate::protocol::{Request, connect};
use crate::screen;
use crate::session::Session;
use crate::terminal::{RawMode, copy_input, copy_output};

/// The JSON document that `console` prints at the end.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ConsoleEnd {
    /// The version of this document.
    schema: u64,
    /// The name of the guest.
    name: String,
    /// Whether the guest ended while the console was open.
    ended: bool,
}

/// Connects the terminal until the user types Ctrl-A X or the guest ends.
pub fn run(session: &Session, name: &str) -> Result<u8> {
    let (name, folder) = running(session, name)?;
    if !std::io::stdin().is_terminal() {
        let name = name.to_string();
        return Err(GuestError::NoTerminal { name }.into());
    }
    let console = connect(&folder, Request::Console { replay: true })
        .with_context(|| format!("cannot connect to the guest {name}"))?;
    screen::line(&format!("console of {name}; Ctrl-A X leaves it"), false);
    let raw = RawMode::set()?;
    let left = Arc::new(AtomicBool::new(false));
    let output = copy_output(console.try_clone().context("cannot share a connection")?);
    let leave = left.clone();
    copy_input(console, move || leave.store(true, Ordering::SeqCst));
    let _ = output.join();
    drop(raw);
    let ended = !left.load(Ordering::SeqCst);
    screen::line(
        if ended {
            "\nthe guest has ended"
        } else {
            "\nleft the console"
        },
        false,
    );
    if session.json {
        let name = name.to_string();
        say(document(&ConsoleEnd {
            schema: 1,
            name,
            ended,
        })?)?;
    }
    Ok(0)
}
