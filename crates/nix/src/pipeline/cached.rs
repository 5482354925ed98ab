//! Finds the result of an evaluation in the cache, or stores it there.
//!
//! Reports for each run whether there was a hit, and if not, why. A cached result is used only if
//! the output or the derivation of each target is in the store.

use std::time::Instant;

use anyhow::Result;
use runtime_module_core::pipeline::CacheReport;

use crate::cache::{
    CachedResult, Key, KeyComponents, Lookup, Results, may_be_kept, this_program, visible, why_not,
    why_not_with,
};
use crate::evaluation::{Derivation, Evaluated, EvaluationRequest, SYSTEM_TEXT, lock_text};
use crate::libnix::{Libnix, libnix_version};
use crate::progress::duration;
use crate::record::{Pin, Source};
use crate::session::NixSession;
use crate::timings::{milliseconds, time_of};

/// The cache entry of one evaluation: the data of its key, and a report about the lookup.
pub struct CacheUse {
    /// `None` if the cache cannot be used; `report` has the reason.
    place: Option<(Results, Key)>,
    /// The store path of the flake's tree from which the key was computed.
    tree: String,
    /// The lock from which the key was computed.
    lock: String,
    /// Whether evaluation may build.
    may_build: bool,
    report: CacheReport,
}

/// A usable result from the cache.
pub struct CachedSystem {
    pub evaluated: Evaluated,
    /// Whether every output is already in the store.
    pub realised: bool,
    /// The derivations to realise. If a `.drv` file was garbage-collected, the output path replaces
    /// its path.
    pub targets: Vec<Derivation>,
}

impl CacheUse {
    /// Opens the cache and computes the key, if the result may be cached.
    pub fn new(
        session: &NixSession,
        libnix: &Libnix,
        request: &EvaluationRequest,
        source: &Source,
    ) -> Self {
        let begun = Instant::now();
        let mut cache = Self {
            place: None,
            tree: String::new(),
            lock: String::new(),
            may_build: true,
            report: CacheReport::default(),
        };
        let reason = match session.options.no_cache {
            true => Some("--no-cache".into()),
            false => why_not(request),
        };
        let place = match (reason, source.pin()) {
            (None, Some(pin)) => cache.open(session, libnix, request, pin),
            (reason, _) => Err(reason.unwrap_or_default()),
        };
        match place {
            Ok(place) => cache.place = Some(place),
            Err(why) => cache.report.why = why,
        }
        cache.report.milliseconds = milliseconds(begun.elapsed());
        cache
    }

    fn open(
        &mut self,
        session: &NixSession,
        libnix: &Libnix,
        request: &EvaluationRequest,
        pin: &Pin,
    ) -> Result<(Results, Key), String> {
        let results = Results::open(&session.locations)?;
        let brief = |error: anyhow::Error| format!("{error:#}");
        let settings = libnix.settings_in_force(&request.settings).map_err(brief)?;
        if let Some(why) = why_not_with(&settings) {
            return Err(why);
        }
        self.tree.clone_from(&pin.source);
        self.lock = lock(libnix, request, pin).map_err(brief)?;
        let mut inputs = KeyComponents::new(request, &self.lock, &[SYSTEM_TEXT]);
        self.may_build = !settings
            .iter()
            .any(|(name, value)| name == "allow-import-from-derivation" && value == "false");
        inputs.settings = visible(&settings);
        inputs.nix = libnix_version();
        inputs.program = this_program().map_err(brief)?;
        Ok((results, inputs.key()))
    }

    /// Looks up the result. With `need_base`, a result without the host's own toplevel is a miss.
    /// `wanted` selects the derivations to realise.
    pub fn find(
        &mut self,
        libnix: &Libnix,
        need_base: bool,
        wanted: impl Fn(&Evaluated) -> Vec<Derivation>,
    ) -> Result<Option<CachedSystem>> {
        let Some((results, key)) = &self.place else {
            return Ok(None);
        };
        let begun = Instant::now();
        let found = match results.lookup(key) {
            Lookup::Hit(entry) if need_base && entry.evaluated.base.is_none() => {
                self.report.why = "the result does not include the system without modules".into();
                None
            }
            // Count this as a miss: Nix would refuse the evaluation, even if all outputs that it
            // imports already exist.
            Lookup::Hit(entry) if entry.evaluated.imports_derivations && !self.may_build => {
                self.report.why =
                    "the evaluation uses import from derivation, which this run does not allow"
                        .into();
                None
            }
            Lookup::Hit(entry) => {
                let found = in_store(libnix, &entry, &wanted(&entry.evaluated))?;
                self.report.hit = found.is_some();
                self.report.why = match found {
                    Some(_) => {
                        let took = duration(time_of(entry.milliseconds));
                        format!("the evaluation took {took}")
                    }
                    None => "neither the cached system nor its derivation is in the store any more"
                        .into(),
                };
                found
            }
            Lookup::Miss(why) => {
                self.report.why = why;
                None
            }
        };
        self.report.milliseconds += milliseconds(begun.elapsed());
        Ok(found)
    }

    /// Stores an evaluated result, if it may be cached.
    pub fn keep(&mut self, request: &EvaluationRequest, evaluated: &Evaluated, milliseconds: f64) {
        let (Some((results, key)), Some(flake)) = (&self.place, request.source.flake()) else {
            return;
        };
        // Compare the source and lock that the evaluator used with those of the key.
        let kept = may_be_kept(
            &evaluated.lock,
            evaluated.lock_changed && flake.lock.is_none(),
            &flake.input_overrides,
        )
        .and_then(|()| {
            let same = evaluated.source == self.tree
                && (flake.input_overrides.is_empty() || evaluated.lock == self.lock);
            if same {
                Ok(())
            } else {
                Err("the source changed during evaluation".into())
            }
        });
        match kept {
            Ok(()) => {
                let names = request.modules.iter().map(|module| module.name.clone());
                let names: Vec<String> = names.collect();
                results.keep(key, &request.host, &names, milliseconds, evaluated);
            }
            Err(why) => {
                self.report.why = why;
                self.place = None;
            }
        }
    }

    /// Keeps the realised output in the store, and records that the result was used.
    pub fn settle(&self, libnix: &Libnix, output: &str, running: Option<&str>) {
        if let Some((results, key)) = &self.place {
            results.used(key);
            results.root(&libnix.store, key, output, running);
            // Prune here too, so that old results expire even if no new ones are stored.
            results.prune();
        }
    }

    /// Marks the result as used, without keeping its output.
    pub fn used(&self) {
        if let Some((results, key)) = &self.place {
            results.used(key);
        }
    }

    pub fn report(&self) -> CacheReport {
        self.report.clone()
    }
}

/// Returns the lock for the key: that of the request, or the flake's own, or a new lock if inputs
/// are replaced. After the evaluation, `keep` checks whether the flake's own lock is up to date.
fn lock(libnix: &Libnix, request: &EvaluationRequest, pin: &Pin) -> Result<String> {
    let flake = request.source.flake();
    if let Some(lock) = flake.and_then(|flake| flake.lock.as_ref()) {
        return Ok(lock.clone());
    }
    let Some(flake) = flake.filter(|flake| !flake.input_overrides.is_empty()) else {
        // If the tree no longer exists, use an empty lock: the key also contains the tree's hash,
        // which determines the lock.
        return Ok(lock_text(&libnix.store, pin).unwrap_or_default());
    };
    libnix.with_evaluator(|evaluator| {
        let locked = evaluator.lock(
            &flake.reference,
            &flake.base_directory,
            &flake.input_overrides,
        )?;
        Ok(evaluator.read_locked(&locked)?.lock)
    })
}

/// Checks which paths of a result still exist. Each path gets a temporary GC root before the check,
/// so that the garbage collector cannot remove the path in between.
fn in_store(
    libnix: &Libnix,
    entry: &CachedResult,
    wanted: &[Derivation],
) -> Result<Option<CachedSystem>> {
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
    Ok(entry.evaluated.toplevel.is_some().then(|| CachedSystem {
        evaluated: entry.evaluated.clone(),
        realised,
        targets,
    }))
}
