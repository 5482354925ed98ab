//! The only interface to libnix: opens it, and provides the store and evaluators. Each evaluator is
//! bound to one thread.
//!
//! No other file uses types of `nix_bindings_*` or calls `nix_ffi`, except for what this file
//! re-exports.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use nix_bindings_expr::eval_state::{ThreadRegistrationGuard, gc_register_my_thread, init};
use nix_ffi::{EvaluatorBuilder, NixEvaluator};
use serde::{Deserialize, Serialize};

use crate::error::{LibnixError, Message as _, one_line};
use crate::interrupt::Interrupts;

mod store;

pub use nix_types::Missing;
pub use store::Store;

pub use nix_ffi::{
    Activity, BuildResult, Event, ExpectedKind, ForkError, Forked, LockRequest, Locked,
    LockedFlake, NixError, Position, Progress, StorePath, fork, fork_child, interrupt, print_to,
    start_git, touch_ahead,
};

/// Stack size for evaluation. libnix recurses deeply, and the `nix` command uses the same size
/// (NixOS/nix, `src/nix/main.cc`).
const EVALUATION_STACK: usize = 64 << 20;

/// Delay before the second attempt to open a store, in which another process can finish creating
/// the store's database.
const NEW_STORE: Duration = Duration::from_millis(100);

/// Default socket of the Nix daemon.
const DAEMON_SOCKET: &str = "/nix/var/nix/daemon-socket/socket";

/// The settings with which libnix is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// URL of the store; `None` for the default store of this machine.
    pub store: Option<String>,
    /// Nix settings: names and values.
    pub options: Vec<(String, String)>,
    /// Whether errors contain the full trace.
    pub show_trace: bool,
    /// Whether evaluation may access anything outside the flake.
    pub impure: bool,
    /// `NIX_PATH`, for impure evaluation.
    #[serde(default)]
    pub search_path: Option<String>,
    /// Whether evaluation may build.
    pub allow_import_from_derivation: bool,
    /// Maximum verbosity of libnix messages, from 0 (error) to 4 (talkative).
    pub verbosity: u8,
}

/// An open libnix.
pub struct Libnix {
    pub store: Store,
    settings: Settings,
}

impl Libnix {
    /// Opens libnix. Must be called on the main thread, while no other thread uses libnix. `sink`
    /// receives all events of libnix, from any thread, and must not block.
    pub fn open(settings: Settings, sink: impl Fn(Event) + Send + Sync + 'static) -> Result<Self> {
        let versions = nix_ffi::versions();
        if !versions.agree() {
            return Err(LibnixError::OtherVersion {
                compiled: versions.compiled.into(),
                loaded: versions.running.into(),
            }
            .into());
        }
        nix_ffi::init_process().context("cannot prepare the process for libnix")?;
        init().context("cannot open libnix")?;
        nix_ffi::install_logger(sink).context("cannot install the logger")?;
        nix_ffi::set_verbosity(settings.verbosity);
        set("extra-experimental-features", "nix-command flakes")?;
        set(
            "show-trace",
            if settings.show_trace { "true" } else { "false" },
        )?;
        for (name, value) in &settings.options {
            // Ignore unknown names here: only an evaluator knows the evaluation settings. It sets
            // all settings again and refuses unknown names.
            nix_ffi::set_setting(name, value).map_err(|error| wrong_setting(name, &error))?;
        }
        Ok(Self {
            store: open_store(settings.store.as_deref())?,
            settings,
        })
    }

    /// Returns all Nix settings that an evaluator with these settings would use: names and values.
    pub fn settings_in_force(&self, settings: &Settings) -> Result<Vec<(String, String)>> {
        let builder = prepare(&self.store, settings)?;
        builder
            .list_settings()
            .context("cannot list the Nix settings")
    }

    /// Opens an evaluator on the current thread, for a process without other threads. The caller
    /// must provide enough stack.
    pub fn evaluator_here(&self) -> Result<Evaluator> {
        Evaluator::open(&self.store, &self.settings)
    }

    /// Runs `work` with an evaluator, on a thread that has enough stack and is known to the garbage
    /// collector.
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
                .context("cannot start the evaluation thread")?;
            thread
                .join()
                .unwrap_or_else(|_| Err(anyhow!("the evaluation thread panicked")))
        })
    }
}

/// Makes evaluation compute derivations without writing them to the store. Must be called before
/// libnix is opened.
pub fn compute_only() {
    nix_ffi::set_read_only();
}

/// Returns the stack size that evaluation needs, in bytes.
pub fn evaluation_stack() -> u64 {
    EVALUATION_STACK as u64
}

/// Returns the version of the loaded libnix.
pub fn libnix_version() -> String {
    nix_ffi::versions().running.into()
}

fn wrong_setting(name: &str, error: &NixError) -> LibnixError {
    LibnixError::WrongSetting {
        setting: name.into(),
        reason: error.message.trim().into(),
    }
}

fn set(name: &str, value: &str) -> Result<()> {
    nix_ffi::set_setting(name, value)
        .with_context(|| format!("cannot set the Nix setting {name}"))
        .map(drop)
}

/// Opens the store `url`, or the default store of this machine.
fn open_store(url: Option<&str>) -> Result<Store> {
    let setting = nix_ffi::get_setting("store")?.unwrap_or_else(|| "auto".into());
    let url = match url {
        Some(url) => Some(url),
        // As root, Nix would open the store without the daemon. But the daemon knows the builders
        // and limits of the machine.
        None if setting == "auto" && UnixStream::connect(DAEMON_SOCKET).is_ok() => Some("daemon"),
        None => None,
    };
    if !is_remote(url.unwrap_or(&setting)) {
        // The default hook is the `nix` command, which this program never runs. A daemon has its
        // own hook and must not receive ours.
        set("build-hook", "")?;
    }
    // libnix connects only at the first request, so an error would look like a failed evaluation.
    // Test the connection here.
    if let Some(socket) = url.and_then(socket) {
        UnixStream::connect(socket)
            .map_err(|error| refused_store(url, &format!("cannot connect to {socket}: {error}")))?;
    }
    // If the client and the evaluator create the database of a new store at the same time, one of
    // them fails, so try twice.
    let again = |_| {
        std::thread::sleep(NEW_STORE);
        Store::open(url)
    };
    Store::open(url)
        .or_else(again)
        .map_err(|error| refused_store(url, &error.to_string()))
}

/// Runs libnix work in this process. An interrupt ends the work.
pub fn interruptible<T>(interrupts: &Interrupts, work: impl FnOnce() -> T) -> Result<T> {
    let guard = interrupts.on_interrupt(|| {
        // If libnix cannot be interrupted, wait until the work ends.
        let _ = nix_ffi::interrupt();
    });
    let done = work();
    drop(guard);
    interrupts.check()?;
    Ok(done)
}

/// Returns the path of the daemon's socket in a `unix://` URL.
fn socket(url: &str) -> Option<&str> {
    let path = url.strip_prefix("unix://")?.split('?').next()?;
    Some(path).filter(|path| !path.is_empty())
}

fn is_remote(url: &str) -> bool {
    url == "daemon" || url.starts_with("unix://") || url.starts_with("ssh")
}

/// The hint if a store does not answer.
const RUNNING: &str = "check that the Nix daemon is running (systemctl status nix-daemon), or name another store with --store";

/// Returns the hint if this machine's daemon does not answer.
pub fn daemon_hint() -> &'static str {
    match Path::new("/nix/store").exists() {
        true => RUNNING,
        false => {
            "this machine has no Nix (there is no /nix/store): install Nix, or name another store with --store"
        }
    }
}

fn refused_store(url: Option<&str>, why: &str) -> anyhow::Error {
    let why = console::strip_ansi_codes(why);
    let why = one_line(&why);
    let why = why.trim_start_matches("error: ");
    let hint = if why.contains("store schema is version") {
        format!(
            "use the daemon of the newer Nix that made this store, or build runtime-module with its libnix (this libnix is {})",
            libnix_version()
        )
    } else if why.contains("No space left") || why.contains("disk is full") {
        "free some space and try again; nothing was changed".into()
    } else if why.contains("Read-only file system") {
        "make the store's database writable, or start the daemon; also check the disk for errors"
            .into()
    } else if url.is_none_or(|url| url == "daemon") {
        daemon_hint().into()
    } else {
        RUNNING.into()
    };
    LibnixError::StoreNotOpened {
        store: url.unwrap_or("of this machine").into(),
        reason: why.into(),
    }
    .hint(hint)
    .into()
}

/// Makes the builder of an evaluator, with all settings.
fn prepare(store: &Store, settings: &Settings) -> Result<EvaluatorBuilder> {
    let builder = EvaluatorBuilder::new(store.nix())?;
    let apply = |name: &str, value: &str| {
        builder
            .set_setting(name, value)
            .with_context(|| format!("cannot set the Nix setting {name}"))
    };
    let bool = |value| if value { "true" } else { "false" };
    apply("pure-eval", bool(!settings.impure))?;
    // libnix reads `NIX_PATH` only in the `nix` commands.
    if let Some(path) = settings.search_path.as_ref().filter(|_| settings.impure) {
        apply("nix-path", &search_path(path))?;
    }
    if !settings.allow_import_from_derivation {
        apply("allow-import-from-derivation", "false")?;
    }
    for (name, value) in &settings.options {
        let known = builder
            .set_setting(name, value)
            .map_err(|error| wrong_setting(name, &error))?;
        if !known {
            let setting = name.clone();
            return Err(LibnixError::UnknownSetting { setting }.into());
        }
    }
    Ok(builder)
}

/// Converts `NIX_PATH`, whose entries are separated by colons, to the format of the setting
/// `nix-path`, whose entries are separated by spaces. The colon of a URL scheme does not separate
/// entries (NixOS/nix, `EvalSettings::parseNixPath`).
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
    nix: NixEvaluator,
    /// Dropped last, because the collector must know the thread as long as the evaluator exists.
    _thread: ThreadRegistrationGuard,
}

impl Evaluator {
    fn open(store: &Store, settings: &Settings) -> Result<Self> {
        let thread = gc_register_my_thread()
            .context("cannot register the evaluation thread with the garbage collector")?;
        let builder = prepare(store, settings)?;
        nix_ffi::enable_counters();
        Ok(Self {
            nix: builder.build()?,
            _thread: thread,
        })
    }

    /// Fetches a flake and locks its inputs in memory.
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
            lock: None,
            allow_unlocked: true,
            use_registries: true,
        };
        Locked::lock(&self.nix, &request)
    }

    /// Fetches a flake and uses `lock` instead of its own lock file.
    pub fn with_lock(&self, reference: &str, base: &Path, lock: &str) -> Result<Locked, NixError> {
        let request = LockRequest {
            reference,
            base_directory: base,
            overrides: &[],
            lock: Some(lock),
            allow_unlocked: true,
            use_registries: true,
        };
        Locked::lock(&self.nix, &request)
    }

    /// Describes a locked flake.
    pub fn read_locked(&self, locked: &Locked) -> Result<LockedFlake, NixError> {
        locked.read(&self.nix)
    }

    /// Returns the flake's outputs and source, with external values. Forced parts stay forced
    /// as long as the result lives.
    pub fn outputs_with(
        &self,
        locked: &Locked,
        beside: &[Beside<'_>],
    ) -> Result<Outputs, NixError> {
        Ok(Outputs {
            outputs: locked.outputs(&self.nix)?,
            source: locked.source(&self.nix)?,
            beside: self.list(beside)?,
        })
    }

    /// Makes outputs from a value that is not a flake, with external values.
    pub fn outputs_of(&self, part: Value<'_>, beside: &[Beside<'_>]) -> Result<Outputs, NixError> {
        Ok(Outputs {
            outputs: part.value,
            // Without a flake, there is no source tree to look up files in.
            source: nix_ffi::NixValue::string(&self.nix, "")?,
            beside: self.list(beside)?,
        })
    }

    fn list(&self, beside: &[Beside<'_>]) -> Result<nix_ffi::NixValue, NixError> {
        let values = beside.iter().map(|one| match one {
            Beside::Path(path) => {
                nix_ffi::NixValue::store_path(&self.nix, &StorePath::parse(path)?)
            }
            Beside::Flake(other) => other.outputs(&self.nix),
            Beside::Function(text) => nix_ffi::apply(&self.nix, text, "expression.nix", &[]),
        });
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let values: Vec<&nix_ffi::NixValue> = values.iter().collect();
        nix_ffi::NixValue::list(&self.nix, &values)
    }

    /// Applies one of our functions to a flake's outputs, its source, the external values and
    /// a request in JSON. Forces nothing.
    pub fn apply(
        &self,
        function: &Expression,
        flake: &Outputs,
        request: &str,
    ) -> Result<Value<'_>, NixError> {
        let text = nix_ffi::NixValue::string(&self.nix, request)?;
        let value = nix_ffi::apply(
            &self.nix,
            function.text,
            function.name,
            &[&flake.outputs, &flake.source, &flake.beside, &text],
        )?;
        Ok(Value {
            value,
            evaluator: self,
        })
    }

    /// Checks that a Nix function can be parsed.
    pub fn parse(&self, function: &str) -> Result<(), NixError> {
        self.list(&[Beside::Function(function)]).map(drop)
    }

    /// Applies one of our functions to a subject and a request in JSON. Forces nothing.
    pub fn apply_to(
        &self,
        function: &Expression,
        subject: Argument<'_>,
        request: &str,
    ) -> Result<Value<'_>, NixError> {
        let nothing = nix_ffi::NixValue::string(&self.nix, "")?;
        let (outputs, part) = match &subject {
            Argument::Outputs(flake) => (&flake.outputs, &nothing),
            Argument::Part(part) => (&nothing, &part.value),
            Argument::Nothing => (&nothing, &nothing),
        };
        let text = nix_ffi::NixValue::string(&self.nix, request)?;
        let value = nix_ffi::apply(
            &self.nix,
            function.text,
            function.name,
            &[outputs, part, &text],
        )?;
        Ok(Value {
            value,
            evaluator: self,
        })
    }

    /// Prints the counters to the file that `NIX_SHOW_STATS_PATH` names.
    pub fn print_counters(&self) -> Result<(), NixError> {
        nix_ffi::print_counters(&self.nix)
    }
}

/// A Nix function that is compiled into the program.
pub struct Expression {
    /// The file name for libnix, which resolves relative paths in the text from it.
    pub name: &'static str,
    /// Nix source text.
    pub text: &'static str,
}

/// The argument of one of our functions.
pub enum Argument<'a> {
    /// The outputs of a flake.
    Outputs(&'a Outputs),
    /// A part of another function's result.
    Part(Value<'a>),
    /// No argument.
    Nothing,
}

/// Returns the system for which Nix evaluates, such as `x86_64-linux`.
pub fn system() -> Result<String, NixError> {
    Ok(nix_ffi::get_setting("system")?.unwrap_or_default())
}

/// The outputs and source of a flake or file, and external values.
pub struct Outputs {
    outputs: nix_ffi::NixValue,
    source: nix_ffi::NixValue,
    /// List of external values: store paths, outputs of other flakes, and functions.
    beside: nix_ffi::NixValue,
}

/// A value that does not come from the flake.
pub enum Beside<'a> {
    /// A path in the store.
    Path(&'a str),
    /// The outputs of another flake.
    Flake(&'a Locked),
    /// A Nix function. It is parsed separately, and its syntax errors are reported immediately.
    Function(&'a str),
}

/// A value of an evaluator.
pub struct Value<'a> {
    value: nix_ffi::NixValue,
    evaluator: &'a Evaluator,
}

impl<'a> Value<'a> {
    /// Returns the attribute `name`, forced to weak head normal form.
    pub fn part(&self, name: &str) -> Result<Value<'a>> {
        let value = self.value.select(&self.evaluator.nix, name)?;
        Ok(Value {
            value: value.with_context(|| format!("our own expression has no attribute {name}"))?,
            evaluator: self.evaluator,
        })
    }

    /// Forces the value deeply by converting it to JSON, and discards the JSON.
    pub fn force(&self) -> Result<(), NixError> {
        self.value.force_json(&self.evaluator.nix).map(drop)
    }

    /// Forces the attribute `name` deeply and parses it.
    pub fn get<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T> {
        let value = self.part(name)?.value;
        let json = value.force_json(&self.evaluator.nix)?;
        serde_json::from_str(&json)
            .with_context(|| format!("cannot read the attribute {name} of our own expression"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_path_is_split_as_in_nix() {
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
