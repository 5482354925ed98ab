//! The result of an evaluation from the cache, or into it.
//!
//! Says for each run whether it was a hit, or else why not. What is found is used only where its paths are in the store.

use std::time::Instant;

use anyhow::Result;
use serde::Serialize;

use super::Session;
use crate::cache::{
    Entry, Ingredients, Key, Lookup, Results, may_be_kept, this_program, visible, why_not,
    why_not_with,
};
use crate::evaluation::{Derivation, Evaluated, Request, SYSTEM_TEXT, lock_text};
use crate::libnix::{Libnix, libnix_version};
use crate::progress::duration;
use crate::record::Pin;
use crate::timings::{milliseconds, time_of};

/// Whether the result came from the cache, for the report (`docs/json.md`).
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recalled {
    /// It did.
    pub hit: bool,
    /// Why not, or what it saved.
    pub why: String,
    /// What looking took.
    pub milliseconds: f64,
}

/// The cache, for one evaluation.
pub struct Recall {
    /// None where there is nothing to look in or to keep for; `said` tells why.
    place: Option<(Results, Key)>,
    /// The lock that the key was made of.
    lock: String,
    /// Whether evaluation may build.
    may_build: bool,
    said: Recalled,
}

/// What the cache had.
pub struct Found {
    /// The result.
    pub evaluated: Evaluated,
    /// Whether every output is in the store already.
    pub realised: bool,
    /// What is to be realised: a derivation that was collected is left out where its output is there.
    pub targets: Vec<Derivation>,
}

impl Recall {
    /// Makes the key.
    pub fn new(session: &Session, libnix: &Libnix, request: &Request, pin: &Pin) -> Self {
        let begun = Instant::now();
        let mut recall = Self {
            place: None,
            lock: String::new(),
            may_build: true,
            said: Recalled::default(),
        };
        let off = session.global.no_cache.then(|| "--no-cache".to_string());
        match off
            .or_else(|| why_not(request))
            .map_or_else(|| recall.open(session, libnix, request, pin), Err)
        {
            Ok(place) => recall.place = Some(place),
            Err(why) => recall.said.why = why,
        }
        recall.said.milliseconds = milliseconds(begun.elapsed());
        recall
    }

    fn open(
        &mut self,
        session: &Session,
        libnix: &Libnix,
        request: &Request,
        pin: &Pin,
    ) -> Result<(Results, Key), String> {
        let results = Results::open(&session.locations)?;
        let brief = |error: anyhow::Error| format!("{error:#}");
        let settings = libnix.settings_in_force(&request.settings).map_err(brief)?;
        if let Some(why) = why_not_with(&settings) {
            return Err(why);
        }
        self.lock = lock(libnix, request, pin).map_err(brief)?;
        let mut ingredients = Ingredients::new(request, &self.lock, &[SYSTEM_TEXT]);
        self.may_build = !settings
            .iter()
            .any(|(name, value)| name == "allow-import-from-derivation" && value == "false");
        ingredients.settings = visible(&settings);
        ingredients.nix = libnix_version();
        ingredients.program = this_program().map_err(brief)?;
        Ok((results, ingredients.key()))
    }

    /// Looks. `need_base`: a result without the host's own toplevel is none. `wanted` says what of a result is to be realised.
    pub fn look(
        &mut self,
        libnix: &Libnix,
        need_base: bool,
        wanted: impl Fn(&Evaluated) -> Vec<Derivation>,
    ) -> Result<Option<Found>> {
        let Some((results, key)) = &self.place else {
            return Ok(None);
        };
        let begun = Instant::now();
        let found = match results.lookup(key) {
            Lookup::Hit(entry) if need_base && entry.evaluated.base.is_none() => {
                self.said.why = "nothing yet with the system without modules beside".into();
                None
            }
            // What it would need is there, and the same configuration would be refused where it is not.
            Lookup::Hit(entry) if entry.evaluated.imports_derivations && !self.may_build => {
                self.said.why = "its evaluation builds, which it may not now".into();
                None
            }
            Lookup::Hit(entry) => {
                let found = in_store(libnix, &entry, &wanted(&entry.evaluated))?;
                self.said.hit = found.is_some();
                self.said.why = match found {
                    Some(_) => format!("it took {}", duration(time_of(entry.milliseconds))),
                    None => "its derivation is no longer in the store".into(),
                };
                found
            }
            Lookup::Miss(why) => {
                self.said.why = why;
                None
            }
        };
        self.said.milliseconds += milliseconds(begun.elapsed());
        Ok(found)
    }

    /// Keeps what was evaluated, if that may be.
    pub fn keep(&mut self, request: &Request, pin: &Pin, evaluated: &Evaluated, milliseconds: f64) {
        let Some((results, key)) = &self.place else {
            return;
        };
        // What the evaluator really had, against what the key was made of.
        let kept = may_be_kept(
            &evaluated.lock,
            evaluated.lock_changed,
            &request.flake.overrides,
        )
        .and_then(|()| {
            let same = evaluated.source == pin.source
                && (request.flake.overrides.is_empty() || evaluated.lock == self.lock);
            if same {
                Ok(())
            } else {
                Err("the source changed while it was evaluated".into())
            }
        });
        match kept {
            Ok(()) => {
                let names = request.modules.iter().map(|module| module.name.clone());
                let names: Vec<String> = names.collect();
                results.keep(key, &request.host, &names, milliseconds, evaluated);
            }
            Err(why) => {
                self.said.why = why;
                self.place = None;
            }
        }
    }

    /// Keeps the realised output in the store, and says that the result was of use.
    pub fn settle(&self, libnix: &Libnix, output: &str, running: Option<&str>) {
        if let Some((results, key)) = &self.place {
            results.used(key);
            results.root(&libnix.store, key, output, running);
            // Where nothing new is kept for long, what is old goes all the same.
            results.prune();
        }
    }

    /// What to tell of it.
    pub fn told(&self) -> Recalled {
        self.said.clone()
    }
}

/// The lock as it is used. Where no input is replaced it is the file's: whether that holds is for the evaluator to say.
fn lock(libnix: &Libnix, request: &Request, pin: &Pin) -> Result<String> {
    let flake = &request.flake;
    if flake.overrides.is_empty() {
        // Of a tree that is gone the hash, which is in the key too, says as much.
        return Ok(lock_text(&libnix.store, pin).unwrap_or_default());
    }
    libnix.with_evaluator(|evaluator| {
        let locked = evaluator.lock(&flake.reference, &flake.base_directory, &flake.overrides)?;
        Ok(evaluator.read_locked(&locked)?.lock)
    })
}

/// What a result amounts to now: each path is kept first and looked at then, so that no collector comes between.
fn in_store(libnix: &Libnix, entry: &Entry, wanted: &[Derivation]) -> Result<Option<Found>> {
    let mut realised = true;
    let mut targets = Vec::new();
    for derivation in wanted {
        let there = |path: &str| -> Result<bool> {
            libnix.store.add_temp_root(path)?;
            Ok(libnix.store.is_valid(path)?)
        };
        let output = there(&derivation.out)?;
        let drv = there(&derivation.drv)?;
        if !output && !drv {
            return Ok(None);
        }
        realised &= output;
        targets.push(Derivation {
            drv: if drv {
                &derivation.drv
            } else {
                &derivation.out
            }
            .clone(),
            out: derivation.out.clone(),
        });
    }
    Ok(entry.evaluated.toplevel.is_some().then(|| Found {
        evaluated: entry.evaluated.clone(),
        realised,
        targets,
    }))
}
