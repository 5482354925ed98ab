//! The context of every command: options, paths, Ctrl-C, progress, and a waiting evaluator.

use std::cell::Cell;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::cli::{Environment, Global, Run};
use crate::error::{Failed, Failure};
use crate::evaluation::{Memory, Waiting};
use crate::interrupt::{Exit, Interrupts};
use crate::libnix::{Settings, start_git};
use crate::locations::Locations;
use crate::progress::{Kind, Reporter, Style};

/// The verbosity at which libnix reports which files it evaluates.
const TALKATIVE: u8 = 4;

/// The context of every command.
pub struct Session {
    pub global: Global,
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
        global: Global,
        environment: Environment,
        to_evaluate: Option<&Run>,
    ) -> Result<Self> {
        let evaluator = to_evaluate
            .map(|run| {
                // A command that changes the system must not even open the store before its
                // privileges are known.
                let settings = run
                    .dry_run
                    .then(|| evaluation_settings(&global, &environment, run));
                let memory = memory(&global, &environment);
                // Start libgit2 here, so that the evaluator inherits it. This is possible only with
                // a single thread.
                let _ = start_git();
                Ok::<_, anyhow::Error>((Waiting::fork(memory, settings.clone())?, settings))
            })
            .transpose()?;
        let style = Style {
            kind: Kind::decide(global.progress, global.json, environment.dumb_terminal),
            build_logs: global.print_build_logs,
            verbosity: 1 + global.verbose,
            colour: !environment.no_color,
            unicode: environment.unicode,
        };
        let interrupts = Interrupts::listen()?;
        let reporter = Reporter::start(style)?;
        let terminal = reporter.clone();
        let json = global.json;
        interrupts.at_exit(move |why| {
            terminal.finish();
            crate::complain(&interrupted(why).into(), json);
        });
        Ok(Self {
            locations: locations(&global, &environment)?,
            here: std::env::current_dir().context("cannot find the current directory")?,
            global,
            environment,
            interrupts,
            reporter,
            evaluator: Cell::new(evaluator),
        })
    }

    /// Replaces the message that is printed on an early exit.
    pub fn say_at_exit(&self, words: Failed) {
        let terminal = self.reporter.clone();
        let json = self.global.json;
        self.interrupts.at_exit(move |_| {
            terminal.finish();
            crate::complain(&words.clone().into(), json);
        });
    }

    /// Makes the settings for libnix. `verbosity` is the highest level of messages that libnix
    /// creates.
    pub fn settings(&self, allow_import_from_derivation: bool, verbosity: u8) -> Settings {
        settings(
            &self.global,
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
            _ => Waiting::start(memory(&self.global, &self.environment)),
        }
    }
}

/// Makes the settings for libnix. `verbosity` is the highest level of messages that libnix creates.
fn settings(
    global: &Global,
    environment: &Environment,
    allow_import_from_derivation: bool,
    verbosity: u8,
) -> Settings {
    let options = global.option.chunks_exact(2);
    let options = options.map(|pair| (pair[0].clone(), pair[1].clone()));
    let flags = [
        ("accept-flake-config", global.accept_flake_config),
        ("keep-going", global.keep_going),
    ];
    let flags = flags.into_iter().filter(|(_, set)| *set);
    let flags = flags.map(|(name, _)| (name.to_string(), "true".to_string()));
    Settings {
        store: global.store.clone(),
        options: options.chain(flags).collect(),
        show_trace: global.show_trace,
        impure: global.impure || global.file.is_some(),
        search_path: environment.nix_path.clone(),
        allow_import_from_derivation,
        verbosity: verbosity.max(1 + global.verbose),
    }
}

/// Makes the settings for the evaluation of a new system.
pub fn evaluation_settings(global: &Global, environment: &Environment, run: &Run) -> Settings {
    settings(
        global,
        environment,
        !run.dry_run || run.allow_ifd,
        TALKATIVE,
    )
}

/// Chooses the initial heap of the evaluator.
pub fn memory(global: &Global, environment: &Environment) -> Memory {
    if global.low_memory {
        Memory::Low
    } else if environment.heap_chosen {
        Memory::Environment
    } else {
        Memory::Plenty
    }
}

/// Determines all paths for this user.
fn locations(global: &Global, environment: &Environment) -> Result<Locations> {
    let root = global.root.clone().unwrap_or_else(|| PathBuf::from("/"));
    let root = std::path::absolute(root).context("cannot find the root directory")?;
    let base = environment
        .cache_home
        .clone()
        .filter(|path| path.is_absolute());
    let base = base.or_else(|| environment.home.as_ref().map(|home| home.join(".cache")));
    let cache = match &global.cache {
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
