//! The one door to libnix: opens it once, in the right order, and hands out the store and, on its own thread, an evaluator.
//!
//! No other file names a type of `nix_bindings_*` or calls `nix_ffi`, but for what is re-exported here.

use std::mem::forget;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use nix_bindings_expr::eval_state::{
    EvalState, EvalStateBuilder, ThreadRegistrationGuard, gc_register_my_thread, init,
};
use serde::{Deserialize, Serialize};

use crate::error::{Failed, Failure, one_line};
use crate::interrupt::Interrupts;

pub use nix_ffi::{
    Activity, BuildResult, Event, ExpectedKind, ForkError, Forked, LockRequest, LockedFlake,
    Missing, NixError, Position, Progress, Store, fork, fork_child, interrupt, print_to, start_git,
    touch_ahead,
};

/// libnix recurses deeply; its own command runs with a stack of this size too (NixOS/nix, `src/nix/main.cc`).
const EVALUATION_STACK: usize = 64 << 20;

/// How long whoever is making a new store's database may take.
const NEW_STORE: Duration = Duration::from_millis(100);

/// Where Nix's daemon listens, unless a setting says otherwise.
const DAEMON_SOCKET: &str = "/nix/var/nix/daemon-socket/socket";

/// What every role must open libnix with alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// URL of the store; none for the one that this machine has.
    pub store: Option<String>,
    /// Nix settings, by name and value.
    pub options: Vec<(String, String)>,
    /// Whether errors carry the whole way to them.
    pub show_trace: bool,
    /// Whether evaluation may see what is outside the flake.
    pub impure: bool,
    /// `NIX_PATH`, for what is impure.
    #[serde(default)]
    pub search_path: Option<String>,
    /// Whether evaluation may build.
    pub allow_import_from_derivation: bool,
    /// Up to which verbosity libnix makes messages: 0 error … 4 talkative.
    pub verbosity: u8,
}

/// libnix, opened.
pub struct Libnix {
    /// The store.
    pub store: Store,
    settings: Settings,
}

impl Libnix {
    /// Opens libnix, on the main thread, before the process has others. `sink` gets everything that libnix reports, from
    /// any thread, and must not block.
    pub fn open(settings: Settings, sink: impl Fn(Event) + Send + Sync + 'static) -> Result<Self> {
        let versions = nix_ffi::versions();
        if !versions.agree() {
            return Err(Failure::Internal
                .error(format!(
                    "open libnix: compiled against {}, but {} is loaded",
                    versions.compiled, versions.running
                ))
                .hint("Nix promises no stable ABI: build runtime-module again against the libnix that is installed")
                .into());
        }
        nix_ffi::init_process().context("prepare the process for libnix")?;
        init().context("open libnix")?;
        nix_ffi::install_logger(sink).context("install the logger")?;
        nix_ffi::set_verbosity(settings.verbosity);
        set("extra-experimental-features", "nix-command flakes")?;
        set(
            "show-trace",
            if settings.show_trace { "true" } else { "false" },
        )?;
        for (name, value) in &settings.options {
            // Evaluation's own settings live in the evaluator and are set again there, where an unknown name is noticed.
            nix_ffi::set_setting(None, name, value).map_err(|error| wrong_setting(name, &error))?;
        }
        Ok(Self {
            store: open_store(settings.store.as_deref())?,
            settings,
        })
    }

    /// Every Nix setting as it is in force for an evaluator that is opened with these: names and values.
    pub fn settings_in_force(&self, settings: &Settings) -> Result<Vec<(String, String)>> {
        let (builder, flakes) = prepare(&self.store, settings)?;
        nix_ffi::list_settings(&builder, flakes).context("list the Nix settings")
    }

    /// An evaluator on this very thread, for a process that is to have no other. Its stack is the caller's business.
    pub fn evaluator_here(&self) -> Result<Evaluator> {
        Evaluator::open(&self.store, &self.settings)
    }

    /// Runs `work` on a thread that evaluation needs (its stack, the collector's knowledge of it), with an evaluator.
    pub fn with_evaluator<T: Send>(
        &self,
        work: impl FnOnce(&Evaluator) -> Result<T> + Send,
    ) -> Result<T> {
        let run = || work(&Evaluator::open(&self.store, &self.settings)?);
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new()
                .name("evaluation".into())
                .stack_size(EVALUATION_STACK)
                .spawn_scoped(scope, run)
                .context("start the evaluation thread")?;
            thread
                .join()
                .unwrap_or_else(|_| Err(anyhow!("the evaluation thread panicked")))
        })
    }
}

/// From now on evaluation only computes what it would write into the store. Before libnix is opened.
pub fn compute_only() {
    nix_ffi::set_read_only();
}

/// The stack that evaluation needs, bytes.
pub fn evaluation_stack() -> u64 {
    EVALUATION_STACK as u64
}

/// The release of libnix that runs.
pub fn libnix_version() -> String {
    nix_ffi::versions().running.into()
}

fn wrong_setting(name: &str, error: &NixError) -> Failed {
    Failure::Usage.error(format!("--option {name}: {}", error.message.trim()))
}

fn set(name: &str, value: &str) -> Result<()> {
    nix_ffi::set_setting(None, name, value)
        .with_context(|| format!("set the Nix setting {name}"))
        .map(drop)
}

/// Opens the store that `url` names, or the one that this machine has.
fn open_store(url: Option<&str>) -> Result<Store> {
    let setting = nix_ffi::get_setting("store")?.unwrap_or_else(|| "auto".into());
    let url = match url {
        Some(url) => Some(url),
        // Nix would use the store of root in process; the daemon knows the machine's builders and limits.
        None if setting == "auto" && UnixStream::connect(DAEMON_SOCKET).is_ok() => Some("daemon"),
        None => None,
    };
    if !is_remote(url.unwrap_or(&setting)) {
        // The default hook is the `nix` command, which we never run. A daemon has its own, and would be sent ours.
        set("build-hook", "")?;
    }
    // libnix connects at the first request only, which would be told as a failed evaluation.
    if let Some(socket) = url.and_then(socket) {
        UnixStream::connect(socket)
            .map_err(|error| refused_store(url, &format!("connect to {socket}: {error}")))?;
    }
    // Of two that make the database of a new store at the same moment, as client and evaluator do, one fails.
    let again = |_| {
        std::thread::sleep(NEW_STORE);
        Store::open(url)
    };
    Store::open(url)
        .or_else(again)
        .map_err(|error| refused_store(url, &error.to_string()))
}

/// Does work of libnix in this process, which an interrupt ends.
pub fn interruptible<T>(interrupts: &Interrupts, work: impl FnOnce() -> T) -> Result<T> {
    let guard = interrupts.on_interrupt(|| {
        // What cannot be told to stop ends by itself.
        let _ = nix_ffi::interrupt();
    });
    let done = work();
    drop(guard);
    interrupts.check()?;
    Ok(done)
}

/// The socket of a store that is a daemon's.
fn socket(url: &str) -> Option<&str> {
    let path = url.strip_prefix("unix://")?.split('?').next()?;
    Some(path).filter(|path| !path.is_empty())
}

fn is_remote(url: &str) -> bool {
    url == "daemon" || url.starts_with("unix://") || url.starts_with("ssh")
}

fn refused_store(url: Option<&str>, why: &str) -> anyhow::Error {
    let why = console::strip_ansi_codes(why);
    let why = one_line(&why);
    let why = why.trim_start_matches("error: ");
    let hint = if why.contains("store schema is version") {
        format!(
            "a newer Nix made this store: use it through its daemon, or build runtime-module with that release's libnix (this libnix is {})",
            libnix_version()
        )
    } else if why.contains("No space left") || why.contains("disk is full") {
        "make room there, then try again: nothing was changed".into()
    } else if why.contains("Read-only file system") {
        "the store's database must be writable: is the disk failing, or a daemon not running?"
            .into()
    } else {
        "is the Nix daemon running (systemctl status nix-daemon)? another store can be named with --store".into()
    };
    Failure::Refused
        .error(format!(
            "open the store {}: {why}",
            url.unwrap_or("of this machine")
        ))
        .hint(hint)
        .into()
}

/// What makes an evaluator, with every setting as it is to be.
fn prepare(
    store: &Store,
    settings: &Settings,
) -> Result<(EvalStateBuilder, nix_ffi::FlakeSettings)> {
    let builder = EvalStateBuilder::new(store.bindings())
        .context("make an evaluator")?
        .load_ambient_settings(false);
    nix_ffi::load_builder(&builder).context("read the Nix settings of evaluation")?;
    let flakes = nix_ffi::FlakeSettings::load().context("read the Nix settings of flakes")?;
    let apply = |name: &str, value: &str| {
        nix_ffi::set_setting(Some((&builder, flakes)), name, value)
            .with_context(|| format!("set the Nix setting {name}"))
    };
    let bool = |value| if value { "true" } else { "false" };
    apply("pure-eval", bool(!settings.impure))?;
    // libnix itself sets it only for the settings of its own commands.
    if let Some(path) = settings.search_path.as_ref().filter(|_| settings.impure) {
        apply("nix-path", &search_path(path))?;
    }
    if !settings.allow_import_from_derivation {
        apply("allow-import-from-derivation", "false")?;
    }
    for (name, value) in &settings.options {
        let known = nix_ffi::set_setting(Some((&builder, flakes)), name, value)
            .map_err(|error| wrong_setting(name, &error))?;
        if !known {
            return Err(Failure::Usage
                .error(format!("--option {name}: there is no such Nix setting"))
                .hint("`man nix.conf` lists the settings of the Nix release that this program is linked to")
                .into());
        }
    }
    Ok((builder, flakes))
}

/// What Nix has in `NIX_PATH`, parted by colons, as its setting `nix-path` has it, parted by blanks. The colon of a URL's
/// scheme parts nothing (NixOS/nix, `EvalSettings::parseNixPath`).
fn search_path(path: &str) -> String {
    const SCHEMES: [&str; 8] = [
        "channel", "file", "flake", "git", "http", "https", "s3", "ssh",
    ];
    let mut entries: Vec<String> = Vec::new();
    let mut cut = false;
    for part in path.split(':') {
        match entries.last_mut().filter(|_| cut) {
            Some(entry) => *entry += &format!(":{part}"),
            None => entries.push(part.into()),
        }
        let (_, value) = part.split_once('=').unwrap_or(("", part));
        cut = !cut && SCHEMES.contains(&value);
    }
    entries.retain(|entry| !entry.is_empty());
    entries.join(" ")
}

/// An evaluator, bound to the thread that opened it.
pub struct Evaluator {
    state: EvalState,
    flakes: nix_ffi::FlakeSettings,
    /// Dropped last: the state must not outlive the collector's knowledge of its thread.
    _thread: ThreadRegistrationGuard,
}

impl Evaluator {
    fn open(store: &Store, settings: &Settings) -> Result<Self> {
        let thread =
            gc_register_my_thread().context("make the evaluation thread known to the collector")?;
        let (builder, flakes) = prepare(store, settings)?;
        flakes
            .register(&builder)
            .context("give the evaluator flakes")?;
        nix_ffi::enable_counters();
        let state = builder.build().context("make an evaluator");
        // Up to Nix 2.34 the evaluator keeps a reference into its builder, so the builder must live as long.
        forget(builder);
        Ok(Self {
            state: state?,
            flakes,
            _thread: thread,
        })
    }

    /// Fetches a flake and locks its inputs, in memory.
    pub fn lock(
        &self,
        reference: &str,
        base: &Path,
        overrides: &[(String, String)],
    ) -> Result<Locked, NixError> {
        let request = LockRequest {
            reference,
            base_directory: base,
            overrides,
            allow_unlocked: true,
            use_registries: true,
        };
        nix_ffi::Locked::lock(&self.state, self.flakes, &request).map(Locked)
    }

    /// Tells what was locked.
    pub fn read_locked(&self, locked: &Locked) -> Result<LockedFlake, NixError> {
        locked.0.read(&self.state)
    }

    /// The flake's outputs and the top of its source, and values that come from elsewhere. What is forced in them stays
    /// forced as long as they live.
    pub fn outputs_with(
        &self,
        locked: &Locked,
        beside: &[Beside<'_>],
    ) -> Result<Outputs, NixError> {
        Ok(Outputs {
            outputs: locked.0.outputs(&self.state)?,
            source: locked.0.source(&self.state)?,
            beside: self.list(beside)?,
        })
    }

    /// What looks like the outputs of a flake and is none, and values that come from elsewhere.
    pub fn outputs_of(&self, part: Value<'_>, beside: &[Beside<'_>]) -> Result<Outputs, NixError> {
        Ok(Outputs {
            outputs: part.value,
            // No file is looked up from a top that it does not have.
            source: nix_ffi::Value::string(&self.state, "")?,
            beside: self.list(beside)?,
        })
    }

    fn list(&self, beside: &[Beside<'_>]) -> Result<nix_ffi::Value, NixError> {
        let values = beside.iter().map(|one| match one {
            Beside::Path(path) => nix_ffi::Value::store_path(&self.state, path),
            Beside::Flake(other) => other.0.outputs(&self.state),
        });
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let values: Vec<&nix_ffi::Value> = values.iter().collect();
        nix_ffi::Value::list(&self.state, &values)
    }

    /// Applies a function of ours to a flake's outputs, the top of its source, what comes from elsewhere and a request in
    /// JSON; nothing is forced yet.
    pub fn apply(
        &self,
        function: &Expression,
        flake: &Outputs,
        request: &str,
    ) -> Result<Value<'_>, NixError> {
        let text = nix_ffi::Value::string(&self.state, request)?;
        let value = nix_ffi::apply(
            &self.state,
            function.text,
            function.name,
            &[&flake.outputs, &flake.source, &flake.beside, &text],
        )?;
        Ok(Value {
            value,
            evaluator: self,
        })
    }

    /// Applies a function of ours to a part of another one's result, or else to the flake's outputs, and to a request in
    /// JSON; nothing is forced yet.
    pub fn apply_to(
        &self,
        function: &Expression,
        subject: Subject<'_>,
        request: &str,
    ) -> Result<Value<'_>, NixError> {
        let nothing = nix_ffi::Value::string(&self.state, "")?;
        let (outputs, part) = match &subject {
            Subject::Outputs(flake) => (&flake.outputs, &nothing),
            Subject::Part(part) => (&nothing, &part.value),
            Subject::Nothing => (&nothing, &nothing),
        };
        let text = nix_ffi::Value::string(&self.state, request)?;
        let value = nix_ffi::apply(
            &self.state,
            function.text,
            function.name,
            &[outputs, part, &text],
        )?;
        Ok(Value {
            value,
            evaluator: self,
        })
    }

    /// Prints the counters to where `NIX_SHOW_STATS_PATH` says.
    pub fn print_counters(&self) -> Result<(), NixError> {
        nix_ffi::print_counters(&self.state)
    }
}

/// A Nix function of ours, compiled in.
pub struct Expression {
    /// How it is called in positions.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// What a function of ours is applied to.
pub enum Subject<'a> {
    /// The outputs of a flake.
    Outputs(&'a Outputs),
    /// A part of another function's result.
    Part(Value<'a>),
    /// Nothing at all.
    Nothing,
}

/// The system that Nix evaluates for, such as `x86_64-linux`.
pub fn system() -> Result<String, NixError> {
    Ok(nix_ffi::get_setting("system")?.unwrap_or_default())
}

/// What a locked flake gives.
pub struct Outputs {
    outputs: nix_ffi::Value,
    source: nix_ffi::Value,
    /// A list of values that come from elsewhere: paths in the store, and outputs of other flakes.
    beside: nix_ffi::Value,
}

/// What comes from elsewhere than the flake.
pub enum Beside<'a> {
    /// A path in the store.
    Path(&'a str),
    /// The outputs of another flake.
    Flake(&'a Locked),
}

/// A flake, locked.
pub struct Locked(nix_ffi::Locked);

impl Locked {
    /// Adds what the flake's `self` is to show and its reference cannot say.
    pub fn extend(&mut self, extra: &[(String, String)]) -> Result<(), NixError> {
        extra
            .iter()
            .try_for_each(|(name, value)| self.0.set(name, value))
    }
}

/// A value of an evaluator.
pub struct Value<'a> {
    value: nix_ffi::Value,
    evaluator: &'a Evaluator,
}

impl<'a> Value<'a> {
    /// The attribute called `name`, forced no further than to what it is.
    pub fn part(&self, name: &str) -> Result<Value<'a>> {
        let value = self.value.select(&self.evaluator.state, name)?;
        Ok(Value {
            value: value.with_context(|| format!("our own expression has no attribute {name}"))?,
            evaluator: self.evaluator,
        })
    }

    /// Forces it deeply, as JSON that nobody reads.
    pub fn force(&self) -> Result<(), NixError> {
        self.value.force_json(&self.evaluator.state).map(drop)
    }

    /// Forces the attribute called `name` deeply, and reads it.
    pub fn get<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T> {
        let value = self.part(name)?.value;
        let json = value.force_json(&self.evaluator.state)?;
        serde_json::from_str(&json)
            .with_context(|| format!("read the attribute {name} of our own expression"))
    }
}

/// The file that a message of libnix says it is evaluating.
pub fn evaluated_file(event: &Event) -> Option<&str> {
    match event {
        Event::Message { text, .. } => text.strip_prefix("evaluating file '")?.strip_suffix('\''),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_path_is_parted_where_nix_parts_it() {
        for (path, setting) in [
            ("nixpkgs=/a:/b", "nixpkgs=/a /b"),
            (
                "nixpkgs=https://x.org/a.tar.gz:/b:",
                "nixpkgs=https://x.org/a.tar.gz /b",
            ),
            (
                "nixpkgs=flake:nixpkgs:x=channel:nixos-24.05",
                "nixpkgs=flake:nixpkgs x=channel:nixos-24.05",
            ),
            ("", ""),
        ] {
            assert_eq!(search_path(path), setting);
        }
    }
}
