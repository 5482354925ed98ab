//! `apply`: makes the running guests those that the configuration of this machine declares.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::Result;
use runtime_module_core::output::{document, say};
use runtime_module_core::progress::for_stdout;
use schemars::JsonSchema;
use serde::Serialize;

use super::start::start;
use super::stop::stop;
use crate::command::{ApplyOptions, GuestOptions, RunOptions};
use crate::declaration;
use crate::error::GuestError;
use crate::launch::plan;
use crate::name::GuestName;
use crate::prepared::PreparedGuest;
use crate::screen;
use crate::session::Session;

/// The JSON document that `apply` prints.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppliedGuests {
    /// The version of this document.
    schema: u64,
    /// Whether nothing was changed, because of `--dry-run`.
    dry_run: bool,
    /// The guests that were started.
    started: Vec<String>,
    /// The guests that were stopped and started again, because their declaration has changed.
    restarted: Vec<String>,
    /// The guests that were stopped, because they are not declared any more.
    removed: Vec<String>,
    /// The guests that already run as declared.
    unchanged: Vec<String>,
}

/// Applies the declared guests.
pub fn run(session: &Session, options: &ApplyOptions) -> Result<u8> {
    let defaults = GuestOptions {
        accelerator: options.accelerator,
        store: options.store.clone(),
        initrd: options.initrd.clone(),
        ..GuestOptions::default()
    };
    let declared = declaration::read(&options.file, &defaults)?;
    let mut changes = compare(session, &declared)?;
    changes.dry_run = options.dry_run;
    if !session.json {
        say(for_stdout(&changes.text()))?;
    }
    if !options.dry_run && changes.changes_anything() {
        if !options.yes {
            confirm(session)?;
        }
        carry_out(session, &changes, &declared, options.timeout)?;
    }
    if session.json {
        say(document(&changes)?)?;
    }
    Ok(0)
}

/// Compares the declared guests with the running ones. Plans every guest first, so that an error in
/// one declaration is found before anything changes.
fn compare(session: &Session, declared: &[(GuestName, RunOptions)]) -> Result<AppliedGuests> {
    let mut changes = AppliedGuests {
        schema: 1,
        ..AppliedGuests::default()
    };
    let running = session.guests.running()?;
    for (name, options) in declared {
        let wanted = plan(session, options)?;
        let list = match running.contains(name) {
            false => &mut changes.started,
            // A guest that has just ended is restarted.
            true => match PreparedGuest::read(&session.guests.guest(name)) {
                Ok(guest) if guest.requested == wanted => &mut changes.unchanged,
                _ => &mut changes.restarted,
            },
        };
        list.push(name.to_string());
    }
    for name in running {
        let is_declared = declared.iter().any(|(other, _)| *other == name);
        let guest = PreparedGuest::read(&session.guests.guest(&name));
        // Guests that the user started are not ours.
        if !is_declared && guest.is_ok_and(|guest| guest.declared) {
            changes.removed.push(name.to_string());
        }
    }
    Ok(changes)
}

/// Stops and starts guests.
fn carry_out(
    session: &Session,
    changes: &AppliedGuests,
    declared: &[(GuestName, RunOptions)],
    timeout: Duration,
) -> Result<()> {
    let stopped = [changes.removed.clone(), changes.restarted.clone()].concat();
    stop(session, &stopped, timeout)?;
    let is_new = |name: &GuestName| {
        let mut new = changes.started.iter().chain(&changes.restarted);
        new.any(|other| other == name.as_str())
    };
    for (_, options) in declared.iter().filter(|(name, _)| is_new(name)) {
        start(session, options)?;
    }
    Ok(())
}

/// Asks the user.
fn confirm(session: &Session) -> Result<()> {
    let stdin = std::io::stdin();
    if session.json || !stdin.is_terminal() {
        return Err(GuestError::NotConfirmed.into());
    }
    screen::line("Apply this plan? [y/N]", false);
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let _ = stdin.read_line(&mut answer);
    match ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
        true => Ok(()),
        false => Err(GuestError::NotConfirmed.into()),
    }
}

impl AppliedGuests {
    fn changes_anything(&self) -> bool {
        !(self.started.is_empty() && self.restarted.is_empty() && self.removed.is_empty())
    }

    /// Describes the plan.
    fn text(&self) -> String {
        let mut text = String::new();
        for (what, names) in [
            ("start", &self.started),
            ("restart", &self.restarted),
            ("remove", &self.removed),
            ("keep", &self.unchanged),
        ] {
            for name in names {
                text += &format!("{what:7}  {name}\n");
            }
        }
        if text.is_empty() {
            text = "no guests are declared\n".into();
        }
        text
    }
}
