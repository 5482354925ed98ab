//! Decides completely what a command will do, before it does anything.
//!
//! Takes the user's request and the situation of the machine; returns a [`Plan`], or the reason why there is nothing to
//! do. Reads files, but does not open libnix, and changes nothing.

mod beside;
mod file;
mod situation;
mod source;
mod wish;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use crate::cli::{Global, Run};
use crate::error::Failure;
use crate::evaluation::{ModuleRequest, unknown_modules};

pub use beside::Beside;
pub use file::{agree, is_another_file, is_file};
pub use situation::Situation;
pub use source::{Source, elsewhere, pinned, source_to_list};
pub use wish::{Past, Wish};

use source::source;

/// The system to activate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A toplevel that is already in the store.
    Known(String),
    /// An earlier system, with its own base and source.
    Past(Box<Past>),
    /// A system to evaluate: the host of this source with these modules, in the order of evaluation.
    Evaluate {
        source: Source,
        modules: Vec<ModuleRequest>,
        /// Additional modules, and the specialisation.
        beside: Beside,
    },
}

/// A plan for a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Description of the request.
    pub purpose: String,
    /// The system to activate.
    pub goal: Goal,
    /// Requested modules after the change.
    pub wanted: Vec<String>,
    /// Revision of the state that the plan is based on.
    pub revision: u64,
    /// Toplevel of the running system.
    pub from: Option<String>,
    /// The toplevel without any runtime module; `None` if it must be evaluated.
    pub base: Option<String>,
    /// The toplevel that the source should give without any runtime module; `None` if it is unknown, or if the user named
    /// another source.
    pub expected: Option<String>,
    /// Whether to activate a system that is already running.
    pub force: bool,
    /// Notes for the user, printed before the change.
    pub notes: Vec<String>,
}

/// The decision about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// There is nothing to do, for this reason.
    Nothing(String),
    /// There is something to do.
    Do(Box<Plan>),
}

/// Makes the plan for a request.
pub fn decide(
    wish: &Wish,
    situation: &Situation,
    global: &Global,
    run: &Run,
    here: &Path,
) -> Result<Decision> {
    let beside = Beside::decide(wish, situation, run)?;
    // A file may have changed, and declare other modules now.
    let in_file = is_file(situation, global);
    let wanted = wanted(wish, situation, in_file || elsewhere(global))?;
    if !run.force
        && let Some(why) = nothing(wish, situation, global, &wanted, &beside)
    {
        return Ok(Decision::Nothing(why));
    }
    let varied = beside.specialisation != specialisation(situation);
    let moved_source = *wish == Wish::Rebuild || elsewhere(global) || in_file;
    let moved = moved_source || varied;
    let mut notes = notes(situation, &wanted);
    let gone = beside.gone(situation);
    if !gone.is_empty() && !matches!(wish, Wish::Reset | Wish::Rollback(_)) {
        notes.push(format!(
            "{} was added for one change only, and is removed by this one (use --keep to keep it)",
            gone.join(", ")
        ));
    }
    let base = situation.base();
    let expected = match &beside.specialisation {
        _ if moved_source => None,
        Some(name) if varied => situation.base_variant(name),
        None if varied => None,
        _ => base.clone(),
    };
    let goal = match (&base, wish) {
        (_, Wish::Rollback(past)) => Goal::Past(past.clone()),
        // The system from before any module was enabled needs no evaluation.
        (Some(base), _)
            if *wish == Wish::Reset || (wanted.is_empty() && !moved && !beside.has_modules()) =>
        {
            Goal::Known(base.clone())
        }
        (None, Wish::Reset) => {
            return Err(Failure::Refused
                .error("cannot reset: the system from before any module was enabled is unknown")
                .hint("activate a system with nixos-rebuild, or run `runtime-module apply`")
                .into());
        }
        _ => {
            let source = source(wish, situation, global, here)?;
            let modules = modules(&wanted, situation, &source)?;
            Goal::Evaluate {
                source,
                modules,
                beside,
            }
        }
    };
    Ok(Decision::Do(Box::new(Plan {
        purpose: wish.words(),
        notes,
        goal,
        wanted,
        revision: situation.state.revision,
        from: situation.running.clone(),
        // A new source has a new base.
        base: base.filter(|_| !moved),
        expected,
        force: run.force,
    })))
}

/// Returns the requested modules after the change.
fn wanted(wish: &Wish, situation: &Situation, elsewhere: bool) -> Result<Vec<String>> {
    let mut wanted = situation.state.wanted.clone();
    match wish {
        Wish::Enable(names) => {
            if !elsewhere {
                known(names, situation)?;
            }
            for name in names {
                if !wanted.contains(name) {
                    wanted.push(name.clone());
                }
            }
        }
        Wish::Disable(names) => {
            let others: Vec<String> = names
                .iter()
                .filter(|name| !wanted.contains(name) && !is_extra(situation, name))
                .cloned()
                .collect();
            if !elsewhere {
                known(&others, situation)?;
            }
            wanted.retain(|name| !names.contains(name));
        }
        Wish::Reset => wanted.clear(),
        Wish::Rollback(past) => wanted.clone_from(&past.wanted),
        Wish::Apply | Wish::Rebuild => {}
    }
    Ok(wanted)
}

/// Returns the pinned specialisation.
fn specialisation(situation: &Situation) -> Option<String> {
    pinned(situation)?.specialisation
}

/// Returns whether a module from outside the configuration is enabled under this name.
fn is_extra(situation: &Situation, name: &str) -> bool {
    pinned(situation).is_some_and(|pin| pin.extras.iter().any(|extra| extra.name == name))
}

/// Refuses unknown module names, if the modules are known.
fn known(names: &[String], situation: &Situation) -> Result<()> {
    let Some(baked) = &situation.baked else {
        return Ok(());
    };
    let known: Vec<String> = baked
        .modules
        .iter()
        .map(|module| module.name.clone())
        .collect();
    let unknown: Vec<String> = names
        .iter()
        .filter(|name| !known.contains(name))
        .cloned()
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(unknown_modules(&unknown, &known).into())
}

/// Returns the reason why there is nothing to do, if so.
fn nothing(
    wish: &Wish,
    situation: &Situation,
    global: &Global,
    wanted: &[String],
    beside: &Beside,
) -> Option<String> {
    let same = situation.active() == wanted && wanted == situation.state.wanted;
    let elsewhere = elsewhere(global);
    let are = |names: &[String]| if names.len() == 1 { "is" } else { "are" };
    match wish {
        _ if elsewhere || situation.state.pending.is_some() => None,
        _ if !beside.new.is_empty() || beside.specialisation != specialisation(situation) => None,
        Wish::Disable(names) if names.iter().any(|name| is_extra(situation, name)) => None,
        Wish::Apply if is_file(situation, global) => None,
        Wish::Apply if !beside.gone(situation).is_empty() => None,
        Wish::Enable(names) if same => Some(format!(
            "{} {} already enabled",
            names.join(", "),
            are(names)
        )),
        Wish::Disable(names)
            if !names
                .iter()
                .any(|name| situation.state.wanted.contains(name)) =>
        {
            Some(format!(
                "{} {} already disabled",
                names.join(", "),
                are(names)
            ))
        }
        Wish::Reset
            if situation.state.wanted.is_empty() && situation.running == situation.base() =>
        {
            Some("no module is enabled".into())
        }
        Wish::Apply if same && !wanted.is_empty() => Some(format!(
            "{} {} already enabled",
            wanted.join(", "),
            are(wanted)
        )),
        Wish::Apply if same && situation.running.is_some() => {
            Some("no module is requested or active".into())
        }
        _ => None,
    }
}

/// Returns the modules in the order of evaluation, if it is known.
pub fn modules(
    wanted: &[String],
    situation: &Situation,
    source: &Source,
) -> Result<Vec<ModuleRequest>> {
    // The baked list of modules is valid only for the baked source.
    let baked = match source {
        Source::Pinned(pin) if pin.inputs.is_empty() && pin.file.is_none() => {
            situation.baked.as_ref().filter(|baked| baked.is_of(pin))
        }
        _ => None,
    };
    let Some(baked) = baked else {
        return Ok(wanted
            .iter()
            .map(|name| ModuleRequest::named(name))
            .collect());
    };
    known(wanted, situation)?;
    let wanted: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
    Ok(baked
        .modules
        .iter()
        .filter(|module| wanted.contains(module.name.as_str()))
        .map(|module| ModuleRequest {
            name: module.name.clone(),
            file: module.file.clone(),
            origin: Some(module.origin),
        })
        .collect())
}

fn notes(situation: &Situation, wanted: &[String]) -> Vec<String> {
    let before = &situation.state.wanted;
    let again: Vec<&str> = before
        .iter()
        .filter(|name| wanted.contains(name))
        .map(String::as_str)
        .collect();
    let again = again.join(", ");
    let mut notes = Vec::new();
    if situation.foreign() {
        let what = match &situation.specialisation {
            Some(name) => format!(
                "specialisation {name} was activated by an external switch; it is the base now"
            ),
            None => "the system was changed by an external switch; it is the base now".into(),
        };
        notes.push(if again.is_empty() {
            what
        } else {
            format!("{what}, and {again} will be enabled again")
        });
    } else if situation.state.revision == 0 && !again.is_empty() {
        // Modules are requested, but this boot has no state yet, so the machine was rebooted.
        notes.push(format!(
            "nothing was activated since boot; {again} will be enabled again"
        ));
    }
    notes
}

#[cfg(test)]
mod tests;
