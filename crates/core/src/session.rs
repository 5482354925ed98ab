//! The data that every command needs: options, paths, Ctrl-C and progress.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::error::{Failed, ProgramError};
use crate::error_output::print_error;
use crate::host::LocalHost;
use crate::interrupt::{Exit, Interrupts};
use crate::locations::Locations;
use crate::options::{Environment, Options};
use crate::progress::{RendererKind, Reporter, Style};

/// The data that every command needs.
pub struct Session {
    pub options: Options,
    pub environment: Environment,
    pub locations: Locations,
    pub interrupts: Interrupts,
    pub reporter: Reporter,
    /// The current directory, from which relative paths are resolved.
    pub here: PathBuf,
}

impl Session {
    /// Starts handling interrupts and showing progress, and determines all paths.
    pub fn begin(options: Options, environment: Environment) -> Result<Self> {
        let style = Style {
            kind: RendererKind::decide(options.progress, options.json, environment.dumb_terminal),
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
            print_error(&interrupted(why).into(), json);
        });
        Ok(Self {
            locations: locations(&options, &environment)?,
            here: std::env::current_dir().context("cannot find the current directory")?,
            options,
            environment,
            interrupts,
            reporter,
        })
    }

    /// Returns the machine that the command reads and changes.
    pub fn host(&self) -> LocalHost<'_> {
        LocalHost::new(&self.locations)
    }

    /// Replaces the message that is printed on an early exit.
    pub fn print_at_exit(&self, words: Failed) {
        let terminal = self.reporter.clone();
        let json = self.options.json;
        self.interrupts.at_exit(move |_| {
            terminal.finish();
            print_error(&words.clone().into(), json);
        });
    }
}

/// Determines the paths of all files for the calling user.
pub fn locations(options: &Options, environment: &Environment) -> Result<Locations> {
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

/// Returns the message for an early exit.
fn interrupted(why: Exit) -> Failed {
    match why {
        Exit::Interrupted => crate::interrupt::interrupted(),
        Exit::Detached => ProgramError::Detached.into(),
    }
}
