//! The context of every command: options, paths, Ctrl-C, progress, and a waiting evaluator.

use std::cell::Cell;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::error::{Failed, Failure};
use crate::evaluation::{Memory, Waiting};
use crate::interrupt::{Exit, Interrupts};
use crate::libnix::{Settings, start_git};
use crate::locations::Locations;
use crate::options::{ChangeOptions, Environment, Options, StopAfter};
use crate::progress::{Kind, Reporter, Style};

/// The verbosity at which libnix reports which files it evaluates.
const TALKATIVE: u8 = 4;

/// The context of every command.
pub struct Session {
    pub options: Options,
    pub environment: Environment,
    pub locations: Locations,
    pub interrupts: Interrupts,
    pub reporter: Reporter,
    /// Directory for relative paths.
    pub here: PathBuf,
    /// An evaluator that was forked before this process had threads, and the settings with which it
    /// has opened libnix, if it has done so.
    evaluator: Cell<Option<(Waiting, Option<Settings>)>>,
}

impl Session {
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
        let style = Style {
            kind: Kind::decide(options.progress, options.json, environment.dumb_terminal),
            build_logs: options.print_build_logs,
            verbosity: 1 + options.verbose,
            colour: !environment.no_color,
            unicode: environment.unicode,
        };
        let interrupts = Interrupts::listen()?;
        let reporter = Reporter::start(style)?;
        let terminal = reporter.clone();
        let json = options.json;
        interrupts.at_exit(move |why| {
            terminal.finish();
            crate::complain(&interrupted(why).into(), json);
        });
        Ok(Self {
            locations: locations(&options, &environment)?,
            here: std::env::current_dir().context("cannot find the current directory")?,
            options,
            environment,
            interrupts,
            reporter,
            evaluator: Cell::new(evaluator),
        })
    }

    /// Replaces the message that is printed on an early exit.
    pub fn say_at_exit(&self, words: Failed) {
        let terminal = self.reporter.clone();
        let json = self.options.json;
        self.interrupts.at_exit(move |_| {
            terminal.finish();
            crate::complain(&words.clone().into(), json);
        });
    }

    /// Makes the settings for libnix. `verbosity` is the highest level of messages that libnix
    /// creates.
    pub fn settings(&self, allow_import_from_derivation: bool, verbosity: u8) -> Settings {
        settings(
            &self.options,
            &self.environment,
            allow_import_from_derivation,
            verbosity,
        )
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

/// Makes the settings for libnix. `verbosity` is the highest level of messages that libnix creates.
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
        TALKATIVE,
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

/// Determines all paths for this user.
fn locations(options: &Options, environment: &Environment) -> Result<Locations> {
    let root = options.root.clone().unwrap_or_else(|| PathBuf::from("/"));
    let root = std::path::absolute(root).context("cannot find the root directory")?;
    let base = environment
        .cache_home
        .clone()
        .filter(|path| path.is_absolute());
    let base = base.or_else(|| environment.home.as_ref().map(|home| home.join(".cache")));
    let cache = match &options.cache {
        Some(cache) => std::path::absolute(cache).context("cannot find the cache directory")?,
        None => base
            .unwrap_or_else(|| PathBuf::from("/var/empty"))
            .join("runtime-module"),
    };
    Ok(Locations::new(root, cache))
}

/// Makes the message for an early exit.
fn interrupted(why: Exit) -> Failed {
    match why {
        Exit::Interrupted => crate::interrupt::interrupted(),
        Exit::Detached => Failure::Interrupted
            .error("detached; activation continues in the background")
            .hint("run `runtime-module status` to see how it ends"),
    }
}
