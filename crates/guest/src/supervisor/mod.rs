//! The role `__supervise`: starts the processes of a guest, watches them, serves other processes,
//! and removes everything at the end.
//!
//! The guest ends if its owner (`run`) disconnects, if a process of the guest ends, on a request, or
//! on a signal. If the supervisor itself is killed, the kernel kills QEMU and virtiofsd, and the next
//! command removes the files.

mod connections;
mod happening;
mod launch;
mod outcome;
mod ssh_probe;

use std::collections::VecDeque;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use runtime_module_core::error::{Failed, describe};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use unix::fcntl::FlockArg;

use crate::accelerator::Choice;
use crate::children::{GuestProcess, Purpose, end_all};
use crate::milestones::{BootFailure, ConsoleScanner, Milestone, Sign};
use crate::prepared::PreparedGuest;
use crate::protocol::{Event, GuestState, ReachedMilestone, Request, STATE};
use crate::qemu;
use crate::roots;
use crate::runtime_folder::RuntimeFolder;
use connections::{ConsoleLog, Listeners};
use happening::Happening;

pub use connections::{LOG, OLDER_LOG};

/// The time that an owner may take to connect.
const OWNER_LIMIT: Duration = Duration::from_secs(10);

/// The time without any output after which KVM is considered broken. A kernel prints its first
/// messages within a second.
const KVM_LIMIT: Duration = Duration::from_secs(20);

/// The time in which QEMU ends after a virtiofsd that lost its connection to QEMU.
const QEMU_LIMIT: Duration = Duration::from_secs(5);

/// The time in which a virtiofsd that failed ends after QEMU.
const AFTER_QEMU: Duration = Duration::from_millis(100);

/// The time between a panic and the end of the guest, in which the kernel prints the rest.
const AFTER_PANIC: Duration = Duration::from_millis(500);

/// The reason why a guest ends.
#[derive(Debug)]
enum End {
    /// QEMU ended without an error: the guest shut down.
    ShutDown,
    Requested,
    OwnerLeft,
    Failed(Box<Failed>),
}

struct Supervisor {
    folder: RuntimeFolder,
    guest: PreparedGuest,
    state: GuestState,
    processes: Vec<GuestProcess>,
    /// The console's input.
    console: Option<UnixStream>,
    scanner: ConsoleScanner,
    log: ConsoleLog,
    listeners: Listeners,
    events: Sender<Happening>,
    /// The time at which the command of the user began.
    begun: SystemTime,
    /// The time at which QEMU started.
    launched: Instant,
    owned: Option<bool>,
    silent: bool,
    failure: Option<(Instant, BootFailure)>,
    /// The time at which to end QEMU after a request to shut down.
    stop_at: Option<Instant>,
}

/// Supervises the guest of a folder.
pub fn supervise(folder: &Path) -> Result<u8> {
    let folder = RuntimeFolder::open(folder);
    let guest = PreparedGuest::read(&folder)?;
    let socket = folder.control_socket();
    let listener = UnixListener::bind(&socket)
        .with_context(|| format!("cannot listen on {}", socket.display()))?;
    // The command that started this process holds the lock until it is connected.
    let lock = folder.lock(FlockArg::LockExclusive)?;
    let (events, happenings) = channel();
    watch_signals(events.clone())?;
    connections::accept(listener, events.clone())?;
    let mut supervisor = Supervisor::new(folder, guest, events)?;
    let end = match supervisor.launch() {
        Ok(()) => supervisor.watch(&happenings),
        Err(error) => End::Failed(Box::new(describe(&error))),
    };
    supervisor.finish(end, &happenings);
    drop(lock);
    Ok(0)
}

/// Reports signals as happenings.
fn watch_signals(events: Sender<Happening>) -> Result<()> {
    let all = [SIGCHLD, SIGHUP, SIGINT, SIGTERM];
    let mut signals = Signals::new(all).context("cannot handle signals")?;
    std::thread::spawn(move || {
        for signal in &mut signals {
            let happening = match signal {
                SIGCHLD => Happening::ChildEnded,
                _ => Happening::Signalled,
            };
            if events.send(happening).is_err() {
                return;
            }
        }
    });
    Ok(())
}

impl Supervisor {
    fn new(folder: RuntimeFolder, guest: PreparedGuest, events: Sender<Happening>) -> Result<Self> {
        let plan = &guest.plan;
        let begun = UNIX_EPOCH + Duration::from_millis(guest.begun);
        let state = GuestState {
            schema: 1,
            name: plan.name.to_string(),
            system: plan.system.clone(),
            label: plan.label.clone(),
            kernel: plan.kernel.display().to_string(),
            accelerator: None,
            cpus: plan.cpus,
            memory: plan.memory,
            ssh_port: plan.ssh_port,
            supervisor: std::process::id(),
            processes: Vec::new(),
            started: guest.begun / 1000,
            milestones: Vec::new(),
        };
        Ok(Self {
            scanner: ConsoleScanner::new(&plan.store_mount),
            log: ConsoleLog::create(&folder)?,
            owned: guest.owned.then_some(false),
            folder,
            state,
            guest,
            processes: Vec::new(),
            console: None,
            listeners: Listeners::default(),
            events,
            begun,
            launched: Instant::now(),
            silent: true,
            failure: None,
            stop_at: None,
        })
    }

    /// Starts all processes.
    fn launch(&mut self) -> Result<()> {
        let started = launch::start(&self.folder, &self.guest, self.events.clone())?;
        self.processes = started.processes;
        self.console = Some(started.console);
        self.launched = Instant::now();
        self.silent = true;
        self.state.processes = self.processes.iter().map(GuestProcess::pid).collect();
        self.state.accelerator = Some(self.guest.accelerator.clone());
        self.save();
        self.listeners
            .tell(&Event::State(Box::new(self.state.clone())));
        self.reached(Milestone::Qemu);
        ssh_probe::start(self.guest.plan.ssh_port, self.events.clone());
        Ok(())
    }

    /// Handles happenings until the guest ends.
    fn watch(&mut self, happenings: &Receiver<Happening>) -> End {
        loop {
            let happening = match happenings.recv_timeout(self.next_deadline()) {
                Ok(happening) => Some(happening),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return End::Requested,
            };
            let end = match happening {
                Some(happening) => self.happened(happening),
                None => None,
            };
            if let Some(end) = end.or_else(|| self.check_deadlines()) {
                return end;
            }
        }
    }

    fn happened(&mut self, happening: Happening) -> Option<End> {
        match happening {
            Happening::Console(bytes) => {
                self.silent = false;
                self.log.write(&bytes);
                self.listeners.print(&bytes);
                for sign in self.scanner.read(&bytes) {
                    self.handle(sign);
                }
            }
            Happening::Connected(stream, request) => self.connected(stream, request),
            Happening::OwnerLeft => return Some(End::OwnerLeft),
            Happening::Signalled => return Some(End::Requested),
            Happening::SshAnswered => self.reached(Milestone::Ssh),
            Happening::ChildEnded => return self.child_ended(),
        }
        None
    }

    fn handle(&mut self, sign: Sign) {
        match sign {
            Sign::Reached(milestone) => self.reached(milestone),
            // Somebody wants to examine the kernel.
            Sign::Failed(_) if self.guest.plan.gdb.is_some() => {}
            // The emergency shell is useful to the user of the console.
            Sign::Failed(BootFailure::Emergency(_)) if self.owned.is_some() => {}
            Sign::Failed(failure) => {
                self.failure
                    .get_or_insert((Instant::now() + AFTER_PANIC, failure));
            }
        }
    }

    fn connected(&mut self, stream: UnixStream, request: Request) {
        match request {
            Request::Follow { owner } => {
                if owner {
                    self.owned = Some(true);
                    connections::watch_owner(&stream, self.events.clone());
                }
                let state = Event::State(Box::new(self.state.clone()));
                self.listeners.follow(stream, &state);
            }
            Request::Console { replay } => {
                let recent = if replay {
                    self.log.recent()
                } else {
                    Vec::new()
                };
                let input = self.console.as_ref().and_then(|one| one.try_clone().ok());
                self.listeners.attach(stream, &recent, input);
            }
            Request::Stop { timeout } => {
                let state = Event::State(Box::new(self.state.clone()));
                self.listeners.follow(stream, &state);
                let timeout = Duration::from_millis(timeout);
                let pressed = !timeout.is_zero() && qemu::press_power_button(&self.folder).is_ok();
                let wait = if pressed { timeout } else { Duration::ZERO };
                self.stop_at = Some(Instant::now() + wait);
            }
        }
    }

    /// Returns the end of the guest if one of its processes has ended.
    fn child_ended(&mut self) -> Option<End> {
        let mut ended = None;
        for process in &mut self.processes {
            let Some(status) = process.ended() else {
                continue;
            };
            match process.purpose {
                Purpose::Qemu => ended = Some((process.purpose.clone(), status)),
                Purpose::Virtiofsd(_) => {
                    ended.get_or_insert((process.purpose.clone(), status));
                }
            }
        }
        let (purpose, status) = ended?;
        if self.stop_at.is_some() {
            return Some(End::Requested);
        }
        if let Some((_, failure)) = self.failure.take() {
            return Some(End::Failed(Box::new(self.boot_failure(failure))));
        }
        let (purpose, status) = match purpose {
            // QEMU cannot start if a virtiofsd refuses its share.
            Purpose::Qemu if status.code().is_some_and(|code| code != 0) => {
                self.failed_virtiofsd().unwrap_or((purpose, status))
            }
            Purpose::Qemu => (purpose, status),
            // virtiofsd also ends when QEMU ends, and then QEMU tells more.
            Purpose::Virtiofsd(_) => match self.wait_for_qemu(status) {
                Some(status) => (Purpose::Qemu, status),
                None => (purpose, status),
            },
        };
        Some(match purpose {
            Purpose::Qemu if status.success() => End::ShutDown,
            purpose => End::Failed(Box::new(self.process_failure(&purpose, status))),
        })
    }

    /// Returns a virtiofsd that has failed.
    fn failed_virtiofsd(&mut self) -> Option<(Purpose, ExitStatus)> {
        std::thread::sleep(AFTER_QEMU);
        let all = self.processes.iter_mut();
        let mut failed = all.filter_map(|one| Some((one.purpose.clone(), one.ended()?)));
        failed.find(|(purpose, status)| *purpose != Purpose::Qemu && !status.success())
    }

    /// Waits for the end of QEMU after the end of a virtiofsd.
    fn wait_for_qemu(&mut self, virtiofsd: ExitStatus) -> Option<ExitStatus> {
        let limit = match virtiofsd.success() {
            true => QEMU_LIMIT,
            false => QEMU_LIMIT / 10,
        };
        let deadline = Instant::now() + limit;
        let mut all = self.processes.iter_mut();
        let qemu = all.find(|one| one.purpose == Purpose::Qemu)?;
        while Instant::now() < deadline {
            if let Some(status) = qemu.ended() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// Returns the time until the next deadline.
    fn next_deadline(&self) -> Duration {
        let owner = (self.owned == Some(false)).then(|| self.launched + OWNER_LIMIT);
        let kvm = self.kvm_can_hang().then(|| self.launched + KVM_LIMIT);
        let failure = self.failure.as_ref().map(|(at, _)| *at);
        let all = [owner, kvm, failure, self.stop_at];
        let next = all.into_iter().flatten().min();
        next.map_or(Duration::from_secs(3600), |at| {
            at.saturating_duration_since(Instant::now())
        })
    }

    fn check_deadlines(&mut self) -> Option<End> {
        let now = Instant::now();
        if self.stop_at.is_some_and(|at| at <= now) {
            return Some(End::Requested);
        }
        if self.failure.as_ref().is_some_and(|(at, _)| *at <= now) {
            let (_, failure) = self.failure.take()?;
            return Some(End::Failed(Box::new(self.boot_failure(failure))));
        }
        if self.owned == Some(false) && self.launched + OWNER_LIMIT <= now {
            return Some(End::OwnerLeft);
        }
        if self.kvm_can_hang() && self.launched + KVM_LIMIT <= now {
            return self.without_kvm();
        }
        None
    }

    fn kvm_can_hang(&self) -> bool {
        self.silent && self.guest.may_use_tcg() && self.guest.accelerator.name == "kvm"
    }

    /// Starts the guest again without KVM.
    fn without_kvm(&mut self) -> Option<End> {
        end_all(&mut self.processes);
        let seconds = KVM_LIMIT.as_secs();
        let reason = format!("with KVM, the guest printed nothing for {seconds} s");
        self.guest.accelerator = Choice::tcg(&reason);
        self.listeners.tell(&Event::Note {
            text: format!("starting again without KVM: {reason}"),
        });
        self.state.milestones.clear();
        let launched = self.launch();
        launched
            .err()
            .map(|error| End::Failed(Box::new(describe(&error))))
    }

    fn reached(&mut self, milestone: Milestone) {
        if self.state.reached(milestone).is_some() {
            return;
        }
        let time = self.begun.elapsed().unwrap_or_default();
        let reached = ReachedMilestone {
            name: milestone,
            seconds: (time.as_secs_f64() * 1000.0).round() / 1000.0,
        };
        self.state.milestones.push(reached);
        self.save();
        self.listeners.tell(&Event::Milestone(reached));
    }

    /// Saves the state for `list`. If the disk is full, the guest still runs.
    fn save(&self) {
        if let Ok(text) = serde_json::to_vec_pretty(&self.state) {
            let _ = self.folder.write(STATE, &text);
        }
    }

    /// Ends all processes, removes everything, and reports the end.
    fn finish(mut self, end: End, happenings: &Receiver<Happening>) {
        end_all(&mut self.processes);
        // Connections that are still waiting also want to know how the guest ended.
        while let Ok(happening) = happenings.try_recv() {
            match happening {
                Happening::Console(bytes) => self.listeners.print(&bytes),
                Happening::Connected(stream, Request::Follow { .. } | Request::Stop { .. }) => {
                    let state = Event::State(Box::new(self.state.clone()));
                    self.listeners.follow(stream, &state);
                }
                _ => {}
            }
        }
        roots::remove(self.folder.path());
        let mut error = match end {
            End::ShutDown | End::Requested | End::OwnerLeft => None,
            End::Failed(failed) => Some(failed),
        };
        if let Err(left) = self.folder.remove() {
            error.get_or_insert_with(|| Box::new(describe(&left)));
        }
        self.listeners.tell(&Event::Ended { error });
    }
}

/// The recent lines of a text.
fn last_lines(text: &str, count: usize) -> Vec<String> {
    let mut lines: VecDeque<String> = VecDeque::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if lines.len() == count {
            lines.pop_front();
        }
        lines.push_back(line.to_string());
    }
    lines.into()
}
