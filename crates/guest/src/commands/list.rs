//! `list`: lists the running guests.

use anyhow::Result;
use runtime_module_core::error::neutral;
use runtime_module_core::output::{document, say};
use runtime_module_core::progress::for_stdout;
use schemars::JsonSchema;
use serde::Serialize;

use crate::protocol::GuestState;
use crate::session::Session;

/// The JSON document that `list` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GuestList {
    /// The version of this document.
    schema: u64,
    /// The running guests, in the order of their names.
    guests: Vec<GuestState>,
}

/// Prints a row for each running guest.
pub fn run(session: &Session) -> Result<u8> {
    let mut guests = Vec::new();
    for name in session.guests.running()? {
        // A guest that has just ended has no state any more.
        guests.extend(GuestState::read(&session.guests.guest(&name)));
    }
    let list = GuestList { schema: 1, guests };
    say(match session.json {
        true => document(&list)?,
        false => for_stdout(&table(&list.guests)),
    })?;
    Ok(0)
}

fn table(guests: &[GuestState]) -> String {
    if guests.is_empty() {
        return "no guests are running\n".into();
    }
    let widest = guests.iter().map(|guest| guest.name.len()).max();
    let width = widest.unwrap_or_default().max(5);
    let mut text = format!("{:width$}  STATE       SSH    ACCEL  SYSTEM\n", "GUEST");
    for guest in guests {
        let state = guest
            .milestones
            .last()
            .map_or("starting", |last| last.name.name());
        let accelerator = guest.accelerator.as_ref().map_or("", |choice| &choice.name);
        text += &format!(
            "{:width$}  {state:10}  {:5}  {accelerator:5}  {}\n",
            guest.name,
            guest.ssh_port,
            neutral(&guest.system)
        );
    }
    text
}
