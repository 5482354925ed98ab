//! What will happen, fully decided before anything does.
//!
//! Takes what the user wishes and what the machine is like; returns a [`Plan`], or why there is nothing to do. Reads files,
//! opens no libnix, changes nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::baked::Baked;
use crate::cli::Global;
use crate::error::{Failed, Failure};
use crate::evaluation::{Host, ModuleRequest, unknown_modules};
use crate::locations::Locations;
use crate::record::{Entry, Pin, State, Step, holder, reachable, running};

/// What the user wishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// These modules are to be on too.
    Enable(Vec<String>),
    /// These modules are to be off.
    Disable(Vec<String>),
    /// No module is to be on.
    Reset,
    /// What is wanted is to be on, on the same source.
    Apply,
    /// What is wanted is to be on, on today's source.
    Rebuild,
    /// An earlier state of this boot is to be on.
    Rollback(Box<Past>),
}

/// An earlier state of this boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// Its number in the history.
    pub number: u64,
    /// Its toplevel.
    pub toplevel: String,
    /// The toplevel without any runtime module, of its source.
    pub base: Option<String>,
    /// Its source.
    pub pin: Option<Pin>,
    /// Modules that were on.
    pub wanted: Vec<String>,
}

impl Past {
    /// The state with this number; the one before what is on now if none is named.
    pub fn find(history: &[Entry], number: Option<u64>, now: u64) -> Result<Self, Failed> {
        let known: Vec<Self> = Self::all(history, now);
        let found = match number {
            Some(number) => known.iter().find(|past| past.number == number),
            None => known.get(1),
        };
        if let Some(past) = found {
            return Ok(past.clone());
        }
        let numbers: Vec<String> = known.iter().map(|past| past.number.to_string()).collect();
        Err(match number {
            Some(number) => Failure::Usage.error(format!(
                "rollback {number}: there is no such state of this boot to return to"
            )),
            None => Failure::Refused.error("rollback: there is no earlier state of this boot"),
        }
        .hint(if number.is_none() || numbers.is_empty() {
            "`runtime-module history` lists the changes of this boot".to_string()
        } else {
            format!(
                "`runtime-module history` lists them: {}",
                numbers.join(", ")
            )
        }))
    }

    /// All that can be returned to, the last first.
    pub fn all(history: &[Entry], now: u64) -> Vec<Self> {
        let ran = history.iter().filter(|entry| entry.ran()).count();
        let mut all: Vec<Self> = reachable(history, now).map(Self::from).collect();
        // Before the first change of all there was a state, too.
        if let Some(first) = history.iter().find(|entry| entry.ran())
            && let Some(from) = first.from.as_ref().filter(|_| ran == all.len())
        {
            all.push(Self {
                number: first.revision.saturating_sub(1),
                toplevel: from.clone(),
                base: Some(from.clone()),
                pin: None,
                wanted: Vec::new(),
            });
        }
        all
    }
}

impl From<&Entry> for Past {
    fn from(entry: &Entry) -> Self {
        Self {
            number: entry.revision,
            toplevel: entry.to.clone(),
            base: entry.base.clone(),
            pin: entry.pin.clone(),
            wanted: entry.modules.clone(),
        }
    }
}

impl Wish {
    /// In words, for the lock, the log and messages.
    pub fn words(&self) -> String {
        match self {
            Self::Enable(names) => format!("enable {}", names.join(", ")),
            Self::Disable(names) => format!("disable {}", names.join(", ")),
            Self::Reset => "reset".into(),
            Self::Apply => "apply".into(),
            Self::Rebuild => "rebuild".into(),
            Self::Rollback(past) => format!("rollback to {}", past.number),
        }
    }
}

/// What the machine is like.
#[derive(Clone, Debug)]
pub struct Situation {
    /// What the NixOS module baked.
    pub baked: Option<Baked>,
    /// What was recorded.
    pub state: State,
    /// The toplevel that runs.
    pub running: Option<String>,
    /// The transaction that is under way, in the words of whoever holds the lock.
    pub under_way: Option<String>,
    /// The folder that NixOS's own tools take the configuration from, where it has a flake.
    pub usual: Option<String>,
}

impl Situation {
    /// Reads it.
    pub fn read(locations: &Locations) -> Result<Self> {
        Ok(Self {
            baked: Baked::read(locations)?,
            state: State::read(locations)?,
            running: running(locations),
            under_way: holder(locations),
            usual: usual(locations),
        })
    }

    /// Whether somebody else has switched since we did: what runs is none of ours.
    pub fn foreign(&self) -> bool {
        self.state.foreign(self.running.as_deref())
    }

    /// Modules that are on.
    pub fn active(&self) -> &[String] {
        match self.state.unended(self.running.as_deref()) {
            // It runs, and may be returned from.
            Some(pending)
                if pending.step == Step::Confirming
                    && Some(&pending.to) == self.running.as_ref() =>
            {
                &pending.wanted
            }
            // Nobody knows what is on.
            Some(pending) if pending.step == Step::Stranded => &[],
            _ if self.state.current.is_some() && self.state.current == self.running => {
                &self.state.active
            }
            _ => &[],
        }
    }

    /// The toplevel without any runtime module, where it is known.
    pub fn base(&self) -> Option<String> {
        self.state.base_of(self.running.as_deref())
    }
}

/// `/etc/nixos`, where it has a flake.
fn usual(locations: &Locations) -> Option<String> {
    let folder = locations.root().join("etc/nixos");
    folder
        .join("flake.nix")
        .exists()
        .then(|| folder.to_string_lossy().into_owned())
}

/// Where the configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A source that is pinned already.
    Pinned(Box<Pin>),
    /// A reference that is locked now, and pinned.
    Reference {
        /// The flake reference.
        reference: String,
        /// What a relative path in it is relative to.
        base: PathBuf,
        /// Inputs to replace.
        overrides: Vec<(String, String)>,
        /// Entry of `nixosConfigurations`.
        host: Host,
        /// The pin whose tree it is, where only its inputs are replaced.
        of: Option<Box<Pin>>,
    },
}

/// What is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A toplevel that is in the store already.
    Known(String),
    /// One that ran before, with its own base and source.
    Past(Box<Past>),
    /// One to evaluate: the host of this source, with these modules in the order of evaluation.
    Evaluate {
        /// The source.
        source: Source,
        /// The modules.
        modules: Vec<ModuleRequest>,
    },
}

/// What will happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The wish, in words.
    pub purpose: String,
    /// What is to run.
    pub goal: Goal,
    /// Modules that will be wanted then.
    pub wanted: Vec<String>,
    /// The state's revision that this was planned against.
    pub revision: u64,
    /// The toplevel that runs.
    pub from: Option<String>,
    /// The toplevel without any runtime module; none where it must be evaluated.
    pub base: Option<String>,
    /// Whether to activate even what runs already.
    pub force: bool,
    /// What the user should know beforehand.
    pub notes: Vec<String>,
}

/// What comes of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing is to be done, and why.
    Nothing(String),
    /// This is.
    Do(Box<Plan>),
}

/// Decides.
pub fn decide(
    wish: &Wish,
    situation: &Situation,
    global: &Global,
    force: bool,
    here: &Path,
) -> Result<Decision> {
    let wanted = wanted(wish, situation, elsewhere(global))?;
    if !force && let Some(why) = nothing(wish, situation, global, &wanted) {
        return Ok(Decision::Nothing(why));
    }
    let moved = *wish == Wish::Rebuild || elsewhere(global);
    let base = situation.base();
    let goal = match (&base, wish) {
        (_, Wish::Rollback(past)) => Goal::Past(past.clone()),
        // What ran before any module was on needs no evaluation to run again.
        (Some(base), _) if *wish == Wish::Reset || (wanted.is_empty() && !moved) => {
            Goal::Known(base.clone())
        }
        (None, Wish::Reset) => {
            return Err(Failure::Refused
                .error("reset: it is not known which system ran before any module was enabled")
                .hint("activate a system by nixos-rebuild, or `runtime-module apply`")
                .into());
        }
        _ => {
            let source = source(wish, situation, global, here)?;
            let modules = modules(&wanted, situation, &source)?;
            Goal::Evaluate { source, modules }
        }
    };
    Ok(Decision::Do(Box::new(Plan {
        purpose: wish.words(),
        notes: notes(situation),
        goal,
        wanted,
        revision: situation.state.revision,
        from: situation.running.clone(),
        // A source that moves takes its own base along.
        base: base.filter(|_| !moved),
        force,
    })))
}

/// Whether another source is asked for than the one that runs: what was baked says nothing about its modules.
fn elsewhere(global: &Global) -> bool {
    global.flake.is_some() || global.host.is_some() || !global.override_input.is_empty()
}

/// Modules that will be wanted.
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
                .filter(|name| !wanted.contains(name))
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

/// Refuses names that no module has, where the modules are known.
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

/// Why nothing is to be done, if so.
fn nothing(
    wish: &Wish,
    situation: &Situation,
    global: &Global,
    wanted: &[String],
) -> Option<String> {
    let same = situation.active() == wanted && wanted == situation.state.wanted;
    let elsewhere = elsewhere(global);
    let are = |names: &[String]| if names.len() == 1 { "is" } else { "are" };
    match wish {
        _ if elsewhere || situation.state.pending.is_some() => None,
        Wish::Enable(names) if same => {
            Some(format!("{} {} on already", names.join(", "), are(names)))
        }
        Wish::Disable(names)
            if !names
                .iter()
                .any(|name| situation.state.wanted.contains(name)) =>
        {
            Some(format!("{} {} off already", names.join(", "), are(names)))
        }
        Wish::Reset
            if situation.state.wanted.is_empty() && situation.running == situation.base() =>
        {
            Some("no module is on".into())
        }
        Wish::Apply if same && !wanted.is_empty() => {
            Some(format!("{} {} on already", wanted.join(", "), are(wanted)))
        }
        Wish::Apply if same && situation.running.is_some() => {
            Some("no module is wanted, and none is on".into())
        }
        _ => None,
    }
}

/// Where the configuration comes from.
fn source(wish: &Wish, situation: &Situation, global: &Global, here: &Path) -> Result<Source> {
    let overrides: Vec<(String, String)> = global
        .override_input
        .chunks_exact(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect();
    let baked = situation.baked.as_ref();
    let pinned = pinned(situation);
    let host = || -> Result<Host> {
        if let Some(host) = &global.host {
            return Ok(Host::Named(host.clone()));
        }
        let known = baked
            .map(|baked| baked.host.clone())
            .or_else(|| pinned.as_ref().map(|pin| pin.host.clone()));
        known.map_or_else(own_name, Ok).map(Host::Usual)
    };
    let reference = |reference: String, overrides| -> Result<Source> {
        Ok(Source::Reference {
            reference,
            base: here.to_path_buf(),
            overrides,
            host: host()?,
            of: None,
        })
    };
    if let Some(flake) = &global.flake {
        return reference(flake.clone(), overrides);
    }
    if *wish == Wish::Rebuild {
        let asked = pinned
            .as_ref()
            .filter(|pin| !pin.baked)
            .map(|pin| pin.url.clone());
        let url = baked.and_then(|baked| baked.flake_url.clone()).or(asked);
        let url = url.ok_or_else(|| {
            Failure::Refused
                .error("rebuild: it is not known where newer sources come from (services.runtimeModules.flakeUrl is not set)")
                .hint("set services.runtimeModules.flakeUrl, or name the flake with --flake")
        })?;
        let kept = pinned
            .as_ref()
            .map(|pin| pin.overrides.clone())
            .unwrap_or_default();
        return reference(
            url,
            if overrides.is_empty() {
                kept
            } else {
                overrides
            },
        );
    }
    match pinned.clone() {
        Some(pin) if !overrides.is_empty() => Ok(Source::Reference {
            reference: pin.locked.clone(),
            base: here.to_path_buf(),
            overrides,
            host: Host::Named(global.host.clone().unwrap_or_else(|| pin.host.clone())),
            of: Some(Box::new(pin)),
        }),
        Some(mut pin) => {
            if let Some(host) = &global.host {
                pin.host.clone_from(host);
            }
            Ok(Source::Pinned(Box::new(pin)))
        }
        None => {
            let url = baked.and_then(|baked| baked.flake_url.clone());
            let asked = situation
                .state
                .pin
                .as_ref()
                .filter(|pin| !pin.baked)
                .map(|pin| pin.url.clone());
            let url = url.or(asked).or_else(|| situation.usual.clone()).ok_or_else(|| {
                Failure::Refused
                    .error("it is not known which flake this machine's configuration comes from")
                    .hint("name it with --flake, and its host with --host; it is pinned then")
                    .hint("or set services.runtimeModules.flake = self in the configuration, and switch to it once")
            })?;
            reference(url, overrides)
        }
    }
}

/// The source whose modules are to be listed.
pub fn source_to_list(situation: &Situation, global: &Global, here: &Path) -> Result<Source> {
    source(&Wish::Apply, situation, global, here)
}

/// The pin that holds now.
pub fn pinned(situation: &Situation) -> Option<Pin> {
    let baked = situation.baked.as_ref().and_then(Baked::pin);
    match &situation.state.pin {
        // After a switch by other means, what that baked is what runs; where it baked nothing, the source is unknown.
        Some(pin) if !situation.foreign() => Some(pin.clone()),
        _ => baked,
    }
}

fn own_name() -> Result<String> {
    let name = unix::unistd::gethostname().context("ask for this machine's name")?;
    Ok(name.to_string_lossy().into_owned())
}

/// The modules in the order of evaluation, as far as it is known.
pub fn modules(
    wanted: &[String],
    situation: &Situation,
    source: &Source,
) -> Result<Vec<ModuleRequest>> {
    // What was baked is true of the baked source only.
    let baked = match source {
        Source::Pinned(pin) if pin.inputs.is_empty() => {
            situation.baked.as_ref().filter(|baked| baked.is_of(pin))
        }
        _ => None,
    };
    let Some(baked) = baked else {
        return Ok(wanted
            .iter()
            .map(|name| ModuleRequest {
                name: name.clone(),
                file: None,
                origin: None,
            })
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

fn notes(situation: &Situation) -> Vec<String> {
    let mut notes = Vec::new();
    if situation.foreign() {
        notes.push(if situation.state.wanted.is_empty() {
            "the system was switched by other means since; that is the base now".into()
        } else {
            format!(
                "the system was switched by other means since; that is the base now, and {} will be on again",
                situation.state.wanted.join(", ")
            )
        });
    }
    notes
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::record::SCHEMA;

    fn global(arguments: &[&str]) -> Global {
        let all = [&["runtime-module"], arguments, &["list"]].concat();
        crate::cli::Cli::parse_from(all).global
    }

    /// A machine on which `hello` was enabled by us.
    fn situation() -> Situation {
        Situation {
            baked: None,
            state: State {
                schema: SCHEMA,
                revision: 1,
                pin: Some(Pin {
                    url: "/etc/nixos".into(),
                    host: "box".into(),
                    ..Pin::default()
                }),
                base: Some(crate::record::Base {
                    toplevel: "/base".into(),
                }),
                current: Some("/with-hello".into()),
                wanted: vec!["hello".into()],
                active: vec!["hello".into()],
                ..State::default()
            },
            running: Some("/with-hello".into()),
            under_way: None,
            usual: None,
        }
    }

    fn plan(wish: &Wish, situation: &Situation, arguments: &[&str]) -> Decision {
        decide(
            wish,
            situation,
            &global(arguments),
            false,
            Path::new("/here"),
        )
        .expect("a decision")
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_string()).collect()
    }

    #[test]
    fn what_is_on_already_is_not_done_again() {
        let wish = Wish::Enable(names(&["hello"]));
        assert_eq!(
            plan(&wish, &situation(), &[]),
            Decision::Nothing("hello is on already".into())
        );
        let wish = Wish::Disable(names(&["a", "b"]));
        assert_eq!(
            plan(&wish, &situation(), &[]),
            Decision::Nothing("a, b are off already".into())
        );
    }

    #[test]
    fn the_last_one_off_is_the_base_and_evaluates_nothing() {
        let Decision::Do(plan) = plan(&Wish::Disable(names(&["hello"])), &situation(), &[]) else {
            panic!("something is to be done");
        };
        assert_eq!(plan.goal, Goal::Known("/base".into()));
        assert!(plan.wanted.is_empty());
    }

    #[test]
    fn after_a_foreign_switch_what_is_wanted_is_not_on() {
        let mut situation = situation();
        situation.running = Some("/new-base".into());
        assert!(situation.foreign() && situation.active().is_empty());
        let Decision::Do(plan) = plan(&Wish::Enable(names(&["hello"])), &situation, &[]) else {
            panic!("it is to be on again");
        };
        assert_eq!(plan.base.as_deref(), Some("/new-base"));
        assert_eq!(plan.notes.len(), 1);
    }

    #[test]
    fn another_flake_takes_its_own_base_along() {
        let Decision::Do(plan) = plan(&Wish::Apply, &situation(), &["--flake", "./x"]) else {
            panic!("the source moves");
        };
        assert_eq!(plan.base, None);
        assert!(matches!(
            plan.goal,
            Goal::Evaluate {
                source: Source::Reference { .. },
                ..
            }
        ));
    }

    #[test]
    fn inputs_are_replaced_in_the_pinned_tree() {
        let arguments = ["--override-input", "nixpkgs", "./n"];
        let Decision::Do(plan) = plan(&Wish::Apply, &situation(), &arguments) else {
            panic!("the source moves");
        };
        let Goal::Evaluate {
            source: Source::Reference { overrides, of, .. },
            ..
        } = plan.goal
        else {
            panic!("it is locked anew");
        };
        assert_eq!(overrides, [("nixpkgs".to_string(), "./n".to_string())]);
        assert_eq!(of.map(|pin| pin.url).as_deref(), Some("/etc/nixos"));
    }

    #[test]
    fn rebuild_without_a_source_says_so() {
        let mut situation = situation();
        situation.state.pin = None;
        let error = decide(
            &Wish::Rebuild,
            &situation,
            &global(&[]),
            false,
            Path::new("/"),
        )
        .expect_err("refused");
        assert!(format!("{error:#}").contains("flakeUrl is not set"));
    }
}
