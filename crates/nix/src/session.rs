//! The shared context of every command, and a waiting evaluator.

use std::cell::Cell;
use std::ops::Deref;

use anyhow::Result;
use runtime_module_core::session::Session;

use crate::evaluation::{Memory, Waiting};
use crate::libnix::{Event, Libnix, Settings, start_git};
use crate::options::{ChangeOptions, Environment, Options, StopAfter};

/// The verbosity at which libnix reports which files it evaluates.
const VERBOSITY_WITH_FILES: u8 = 4;

/// The context of a command that may evaluate.
pub struct NixSession {
    shared: Session,
    /// An evaluator that was forked before this process had threads, and the settings with which it
    /// has opened libnix, if it has done so.
    evaluator: Cell<Option<(Waiting, Option<Settings>)>>,
}

impl Deref for NixSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.shared
    }
}

impl NixSession {
    /// Begins a run. Forks an evaluator in advance if the command will probably evaluate something.
    pub fn begin(
        options: Options,
        environment: Environment,
        to_evaluate: Option<&ChangeOptions>,
    ) -> Result<Self> {
        let evaluator = to_evaluate
            .map(|change| {
                // A command that changes the system must not even open the store before its
                // privileges are known.
                let opens_now = change.stop_after == StopAfter::Evaluate;
                let may_build = change.may_build_in_evaluation();
                let settings =
                    opens_now.then(|| evaluation_settings(&options, &environment, may_build));
                let memory = memory(&options, &environment);
                // Start libgit2 here, so that the evaluator inherits it. This is possible only with
                // a single thread.
                let _ = start_git();
                Ok::<_, anyhow::Error>((Waiting::fork(memory, settings.clone())?, settings))
            })
            .transpose()?;
        Ok(Self {
            shared: Session::begin(options, environment)?,
            evaluator: Cell::new(evaluator),
        })
    }

    /// Makes the settings for libnix. `verbosity` is the highest level of messages that libnix
    /// creates, but `-v` can raise it, and it is at least 1.
    pub fn settings(&self, allow_import_from_derivation: bool, verbosity: u8) -> Settings {
        settings(
            &self.options,
            &self.environment,
            allow_import_from_derivation,
            verbosity,
        )
    }

    /// Opens libnix for this process. `sink` receives its events, from any thread.
    ///
    /// If an evaluator that was forked at the start opens the same store, this function waits until
    /// the evaluator has opened it. Only one of them may find a store that is new or was made by an
    /// older Nix: to create or upgrade its database, libnix waits until no other process uses the
    /// store, and the evaluator uses the store until this process has received its answer.
    pub fn open_libnix(&self, sink: impl Fn(Event) + Send + Sync + 'static) -> Result<Libnix> {
        let turn = || match self.evaluator.take() {
            Some((mut waiting, Some(opened))) => {
                let turn = waiting.wait_for_store(&self.interrupts);
                self.evaluator.set(Some((waiting, Some(opened))));
                turn
            }
            other => {
                self.evaluator.set(other);
                Ok(())
            }
        };
        Libnix::open_in_turn(self.settings(false, 1), turn, sink)
    }

    /// Returns an evaluator that waits for a request with these settings. This is the evaluator
    /// that was forked at the start, if it is still waiting and has not opened libnix with other
    /// settings.
    pub fn evaluator(&self, settings: &Settings) -> Result<Waiting> {
        match self.evaluator.take() {
            Some((waiting, opened)) if opened.as_ref().is_none_or(|opened| opened == settings) => {
                Ok(waiting)
            }
            _ => Waiting::start(memory(&self.options, &self.environment)),
        }
    }
}

/// Makes the settings for libnix. libnix creates messages up to the level `verbosity`, or up to 1
/// plus the number of `-v` if that is higher.
fn settings(
    options: &Options,
    environment: &Environment,
    allow_import_from_derivation: bool,
    verbosity: u8,
) -> Settings {
    let nix_settings = options.nix_settings.iter().cloned();
    let flags = [
        ("accept-flake-config", options.accept_flake_config),
        ("keep-going", options.keep_going),
    ];
    let flags = flags.into_iter().filter(|(_, set)| *set);
    let flags = flags.map(|(name, _)| (name.to_string(), "true".to_string()));
    Settings {
        store: options.store.clone(),
        options: nix_settings.chain(flags).collect(),
        show_trace: options.show_trace,
        impure: options.impure || options.source.file.is_some(),
        search_path: environment.nix_path.clone(),
        allow_import_from_derivation,
        verbosity: verbosity.max(1 + options.verbose),
    }
}

/// Makes the settings for the evaluation of a new system.
pub fn evaluation_settings(
    options: &Options,
    environment: &Environment,
    allow_import_from_derivation: bool,
) -> Settings {
    settings(
        options,
        environment,
        allow_import_from_derivation,
        VERBOSITY_WITH_FILES,
    )
}

/// Chooses the initial heap of the evaluator.
pub fn memory(options: &Options, environment: &Environment) -> Memory {
    if options.low_memory {
        Memory::Low
    } else if environment.heap_chosen {
        Memory::Environment
    } else {
        Memory::Plenty
    }
}
