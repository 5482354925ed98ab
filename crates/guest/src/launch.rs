//! Starts a guest: prepares its folder, starts its supervisor, and connects to the supervisor.

use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::command::{EvaluatedSystem, RunOptions, SystemChoice};
use crate::confinement::file_limit;
use crate::error::GuestError;
use crate::evaluated_system;
use crate::name::GuestName;
use crate::plan::{GuestPlan, GuestSystem};
use crate::prepared::{GuestPrograms, PreparedGuest, Start};
use crate::protocol::{Request, connect};
use crate::roles::SUPERVISE;
use crate::roots;
use crate::runtime_folder::{FolderLock, GuestsFolder, RuntimeFolder};
use crate::screen;
use crate::session::Session;
use crate::tools::SYSTEMD_RUN;

/// The time that a supervisor may take to listen.
const LISTEN_LIMIT: Duration = Duration::from_secs(15);

/// The number of guests of one system that get a name of their own without `--name`.
const NUMBERED: usize = 100;

/// Who owns a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The guest ends with this command.
    Command,
    /// The guest runs in the background.
    Nobody,
}

/// A guest whose supervisor runs.
#[derive(Debug)]
pub struct LaunchedGuest {
    pub name: GuestName,
    pub folder: RuntimeFolder,
    /// The connection on which the supervisor sends events.
    pub stream: UnixStream,
    /// The supervisor, if it is a child of this process.
    child: Option<Child>,
    interrupted: Interrupted,
}

impl LaunchedGuest {
    /// Waits until the supervisor has exited, after it has reported the end of the guest.
    pub fn wait(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.wait();
        }
    }

    /// Fails if a signal has asked this process to end.
    pub fn check_interrupt(&self) -> Result<()> {
        self.interrupted.check(&self.name)
    }
}

/// Removes the folder of a guest that could not be started.
struct Unfinished<'a> {
    folder: &'a RuntimeFolder,
    done: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.done {
            roots::remove(self.folder.path());
            let _ = self.folder.remove();
        }
    }
}

/// Starts a guest.
pub fn launch(session: &Session, options: &RunOptions, owner: Owner) -> Result<LaunchedGuest> {
    let begun = SystemTime::now();
    let interrupted = Interrupted::watch()?;
    // Check what needs no evaluation first.
    let named = options.name.as_deref().map(GuestName::new).transpose()?;
    let programs = GuestPrograms::find(&session.search_path)?;
    let (system, derived) = find_system(session, options)?;
    // Check everything before the first file is written.
    let name = named.clone().unwrap_or(derived);
    let plan = GuestPlan::new(name, &system, &options.guest)?;
    let (folder, lock, plan) = create(&session.guests, plan, named.is_some())?;
    let mut unfinished = Unfinished {
        folder: &folder,
        done: false,
    };
    let name = plan.name.clone();
    let owned = owner == Owner::Command;
    let prepared = PreparedGuest::prepare(
        plan,
        programs,
        &folder,
        Start {
            owned,
            declared: options.declared,
            begun,
        },
    )?;
    let is_root = unix::unistd::geteuid().is_root();
    if let (Some(note), false) = (
        prepared.virtiofsd_kind.note(is_root, file_limit()),
        session.json,
    ) {
        screen::line(&format!("note: {note}"), false);
    }
    interrupted.check(&name)?;
    let mut child = start_supervisor(session, options, owner, &folder, &name)?;
    let request = Request::Follow { owner: owned };
    let stream = match wait_for_supervisor(&folder, &mut child, request) {
        Ok(stream) => stream,
        Err(error) => {
            if let Some(mut child) = child {
                let _ = child.kill();
                let _ = child.wait();
            }
            return Err(error);
        }
    };
    unfinished.done = true;
    drop(unfinished);
    drop(lock);
    Ok(LaunchedGuest {
        name,
        folder,
        stream,
        child,
        interrupted,
    })
}

/// Makes the folder of a guest. If the user has not chosen a name, numbers the derived one.
fn create(
    guests: &GuestsFolder,
    mut plan: GuestPlan,
    is_chosen: bool,
) -> Result<(RuntimeFolder, FolderLock, GuestPlan)> {
    let base = plan.name.clone();
    for number in 2..NUMBERED {
        match guests.create(&plan.name) {
            Ok((folder, lock)) => return Ok((folder, lock, plan)),
            Err(error) if is_chosen || !guests.guest(&plan.name).is_running() => return Err(error),
            Err(_) => plan.name = base.numbered(number),
        }
    }
    let name = base.to_string();
    Err(GuestError::NameInUse { name }.into())
}

/// Plans a guest as [`launch`] does, but starts nothing.
pub fn plan(session: &Session, options: &RunOptions) -> Result<GuestPlan> {
    let named = options.name.as_deref().map(GuestName::new).transpose()?;
    let (system, derived) = find_system(session, options)?;
    GuestPlan::new(named.unwrap_or(derived), &system, &options.guest)
}

/// Finds or builds the system, and derives a name for the guest from it.
fn find_system(session: &Session, options: &RunOptions) -> Result<(GuestSystem, GuestName)> {
    let store = options.guest.store.as_deref();
    let wanted = match &options.system {
        SystemChoice::Named(named) => {
            let path = Path::new(named);
            match named.split_once('#') {
                // A path can contain `#` too.
                Some((flake, host)) if path.symlink_metadata().is_err() => EvaluatedSystem {
                    flake: Some(flake.into()),
                    host: Some(host.into()),
                    modules: options.modules.clone(),
                },
                _ => {
                    if !options.modules.is_empty() {
                        let system = named.clone();
                        return Err(GuestError::ModulesOfBuiltSystem { system }.into());
                    }
                    let system = GuestSystem::find(path, store)?;
                    return Ok((system, GuestName::from_text("guest")));
                }
            }
        }
        SystemChoice::Evaluated(wanted) => wanted.clone(),
    };
    let path = evaluated_system::build(&wanted, store, session.json)?;
    let host = wanted.host.as_deref().unwrap_or("guest");
    Ok((
        GuestSystem::find(path.as_ref(), store)?,
        GuestName::from_text(host),
    ))
}

/// Starts the supervisor: in a unit of systemd if the guest runs in the background and systemd is
/// available, otherwise as a child of this process. Returns the child.
fn start_supervisor(
    session: &Session,
    options: &RunOptions,
    owner: Owner,
    folder: &RuntimeFolder,
    name: &GuestName,
) -> Result<Option<Child>> {
    let own = std::env::current_exe().context("cannot find our own executable")?;
    let not_started = |reason: String| GuestError::SupervisorNotStarted { reason };
    let unit = (owner == Owner::Nobody && options.systemd)
        .then(|| systemd_run(session, name))
        .flatten();
    if let Some(mut command) = unit {
        command.arg(own).arg(SUPERVISE).arg(folder.path());
        let output = command
            .output()
            .map_err(|error| not_started(error.to_string()))?;
        return match output.status.success() {
            true => Ok(None),
            false => {
                let reason = String::from_utf8_lossy(&output.stderr).trim().to_string();
                Err(not_started(reason).into())
            }
        };
    }
    let log = folder.create_log("supervisor.log")?;
    // A signal of the terminal does not reach a separate process group.
    Command::new(own)
        .arg(SUPERVISE)
        .arg(folder.path())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .process_group(0)
        .spawn()
        .map(Some)
        .map_err(|error| not_started(error.to_string()).into())
}

/// Returns the command that starts a program in a unit of the user's systemd, or of the system's for
/// root. Returns `None` if systemd is not available.
fn systemd_run(session: &Session, name: &GuestName) -> Option<Command> {
    let manager = match unix::unistd::geteuid().is_root() {
        true => Path::new("/run/systemd/system").to_path_buf(),
        false => session.runtime_dir.as_ref()?.join("systemd/private"),
    };
    let program = session.search_path.find(SYSTEMD_RUN).ok()?;
    let mut command = Command::new(program);
    if !unix::unistd::geteuid().is_root() {
        command.arg("--user");
    }
    command
        .args(["--quiet", "--collect", "--property=KillMode=mixed"])
        .arg(format!("--unit=runtime-guest-{name}"))
        .arg(format!("--description=Guest {name}"))
        .arg("--")
        .stdin(Stdio::null());
    manager.exists().then_some(command)
}

/// Connects to the supervisor as soon as it listens.
fn wait_for_supervisor(
    folder: &RuntimeFolder,
    child: &mut Option<Child>,
    request: Request,
) -> Result<UnixStream> {
    let deadline = Instant::now() + LISTEN_LIMIT;
    loop {
        if let Ok(stream) = connect(folder, request) {
            return Ok(stream);
        }
        let ended = child.as_mut().map(Child::try_wait).transpose();
        let ended = ended.context("cannot wait for the supervisor")?.flatten();
        if ended.is_some() || Instant::now() > deadline {
            let log = std::fs::read_to_string(folder.file("supervisor.log")).unwrap_or_default();
            let reason = match log.trim() {
                "" => "it does not answer".to_string(),
                text => text.to_string(),
            };
            return Err(GuestError::SupervisorNotStarted { reason }.into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether a signal has asked this process to end while it prepares a guest.
#[derive(Debug)]
struct Interrupted(Arc<AtomicBool>);

impl Interrupted {
    fn watch() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, flag.clone()).context("cannot handle signals")?;
        }
        Ok(Self(flag))
    }

    fn check(&self, name: &GuestName) -> Result<()> {
        match self.0.load(Ordering::SeqCst) {
            true => Err(GuestError::Killed {
                name: name.to_string(),
            }
            .into()),
            false => Ok(()),
        }
    }
}
