//! What every command works with: what was asked for, where everything lies, Ctrl-C, progress, and an evaluator in waiting.

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

/// libnix's verbosity at which it says which files it evaluates.
const TALKATIVE: u8 = 4;

/// What every command works with.
pub struct Session {
    /// What was asked for.
    pub global: Global,
    /// What the environment says.
    pub environment: Environment,
    /// Where everything lies.
    pub locations: Locations,
    /// Ctrl-C.
    pub interrupts: Interrupts,
    /// Progress.
    pub reporter: Reporter,
    /// The folder that relative paths are relative to.
    pub here: PathBuf,
    /// An evaluator that was forked off before this process had threads, and how it has opened libnix where it has.
    evaluator: Cell<Option<(Waiting, Option<Settings>)>>,
}

impl Session {
    /// Begins a run, with an evaluator in waiting where there will probably be something `to_evaluate`.
    pub fn begin(
        global: Global,
        environment: Environment,
        to_evaluate: Option<&Run>,
    ) -> Result<Self> {
        let evaluator = to_evaluate
            .map(|run| {
                // What changes the system does no work, not even on the store, before its rights are known.
                let settings = run
                    .dry_run
                    .then(|| evaluation_settings(&global, &environment, run));
                let memory = memory(&global, &environment);
                // Here and in the evaluator, which inherits it; it can be done as long as there is one thread.
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
            here: std::env::current_dir().context("find the current folder")?,
            global,
            environment,
            interrupts,
            reporter,
            evaluator: Cell::new(evaluator),
        })
    }

    /// From now on this is what is said when the process ends in the middle of something.
    pub fn say_at_exit(&self, words: Failed) {
        let terminal = self.reporter.clone();
        let json = self.global.json;
        self.interrupts.at_exit(move |_| {
            terminal.finish();
            crate::complain(&words.clone().into(), json);
        });
    }

    /// How libnix is opened; `verbosity` is what it makes messages up to.
    pub fn settings(&self, allow_import_from_derivation: bool, verbosity: u8) -> Settings {
        settings(
            &self.global,
            &self.environment,
            allow_import_from_derivation,
            verbosity,
        )
    }

    /// An evaluator that waits for a request with these settings: the one that was forked off at the start, if it still waits
    /// and has not opened libnix in another way.
    pub fn evaluator(&self, settings: &Settings) -> Result<Waiting> {
        match self.evaluator.take() {
            Some((waiting, opened)) if opened.as_ref().is_none_or(|opened| opened == settings) => {
                Ok(waiting)
            }
            _ => Waiting::start(memory(&self.global, &self.environment)),
        }
    }
}

/// How libnix is opened; `verbosity` is what it makes messages up to.
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

/// How it is opened to evaluate what is to run.
pub fn evaluation_settings(global: &Global, environment: &Environment, run: &Run) -> Settings {
    settings(
        global,
        environment,
        !run.dry_run || run.allow_ifd,
        TALKATIVE,
    )
}

/// How the evaluator's heap is chosen.
pub fn memory(global: &Global, environment: &Environment) -> Memory {
    if global.low_memory {
        Memory::Low
    } else if environment.heap_chosen {
        Memory::Environment
    } else {
        Memory::Plenty
    }
}

/// Where everything lies, for this user.
fn locations(global: &Global, environment: &Environment) -> Result<Locations> {
    let root = global.root.clone().unwrap_or_else(|| PathBuf::from("/"));
    let root = std::path::absolute(root).context("find the root")?;
    let base = environment
        .cache_home
        .clone()
        .filter(|path| path.is_absolute());
    let base = base.or_else(|| environment.home.as_ref().map(|home| home.join(".cache")));
    let cache = match &global.cache {
        Some(cache) => std::path::absolute(cache).context("find the cache")?,
        None => base
            .unwrap_or_else(|| PathBuf::from("/var/empty"))
            .join("runtime-module"),
    };
    Ok(Locations::new(root, cache))
}

/// What is said when the process ends in the middle of something.
fn interrupted(why: Exit) -> Failed {
    match why {
        Exit::Interrupted => crate::interrupt::interrupted(),
        Exit::Detached => Failure::Interrupted
            .error("interrupted; the activation goes on without this terminal")
            .hint("`runtime-module status` says how it ends"),
    }
}
