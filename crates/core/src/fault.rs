//! Injects faults in tests: before and after each step in the table below, and at each byte of the
//! files in the table.
//!
//! Each process reads `RUNTIME_MODULE_FAULT` once. Points that the variable does not name behave
//! normally. A release build cannot inject faults, so the variable has no effect on it.
//!
//! A fault is `POINT[@N]:before|after[:WHAT]`. Several faults are separated by commas.
//!
//! - `POINT` is a name in the table below, which `runtime-module __faults` prints. `@N` selects the
//!   Nth time that a process passes the point, `@*` every time. The default is the first time.
//! - `WHAT` is `kill` (SIGKILL to our own process, the default), `stop` (SIGSTOP, so that a test
//!   can inspect the system, kill other processes, and continue), `eio` or `enospc` (the step fails
//!   with this error; with `after` the step was carried out but reports the error).
//! - Points that write also accept `short=N` (N bytes are written, then no space is left) and
//!   `cut=N` (N bytes are written, then the process is killed).
//!
//! If several faults apply to the same place, they happen in the given order. For example,
//! `P:before:stop,P:before:eio` stops the process, and makes the step fail when the process
//! continues.

use std::fs::File;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use unix::sys::signal::{Signal, raise};

use crate::error::FaultError;

/// Whether this build can inject faults.
pub const POSSIBLE: bool = cfg!(debug_assertions);

/// The kind of a [`Point`]. Only a point that writes can be interrupted in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointKind {
    /// A step of the program.
    Step,
    /// A write of bytes to a file.
    Write,
}

macro_rules! points {
    ($($variant:ident $name:literal $kind:ident $what:literal)*) => {
        /// A point at which a fault can be injected.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Point {
            $(#[doc = $what] $variant,)*
        }

        /// Every point with its name, kind and description.
        pub const POINTS: &[(Point, &str, PointKind, &str)] =
            &[$((Point::$variant, $name, PointKind::$kind, $what),)*];
    };
}

// The name of a step begins with the process that passes the point: client, evaluator, relay or
// activator. The exceptions are the `disk` steps, which happen in several processes. The activator
// writes the files of the `write` points, unless the description names another process.
points! {
    Plan "client.plan" Step "The client reads the situation and makes a plan."
    Elevate "client.elevate" Step "The client starts the relay, which waits for the request."
    Lock "client.lock" Step "The client locks the flake."
    Evaluate "client.evaluate" Step "The client runs the evaluator."
    Query "client.query" Step "The client queries which paths are missing from the store."
    Realise "client.realise" Step "The client builds and fetches the missing paths."
    Ask "client.request" Step "The client sends the request to the activator."
    Follow "client.follow" Step "The client waits for the outcome."
    Report "client.report" Step "The client prints the result."

    EvaluatorOpen "evaluator.open" Step "The evaluator opens libnix."
    EvaluatorLock "evaluator.lock" Step "The evaluator fetches and calls the flake."
    EvaluatorEvaluate "evaluator.evaluate" Step "The evaluator evaluates the toplevel."
    EvaluatorAnswer "evaluator.answer" Step "The evaluator sends its answer."

    RelayRequest "relay.request" Step "The relay writes the request to a file."
    RelayStart "relay.start" Step "The relay starts the activator in its own unit or session."
    RelayFollow "relay.follow" Step "The relay follows the log until the outcome exists."

    Held "activator.lock" Step "The activator takes the lock."
    Compare "activator.compare" Step "The activator compares the state and the running system with the request."
    Root "activator.root" Step "The activator makes GC roots for the new and the previous system."
    Begin "activator.begin" Step "The activator records the pending transaction."
    Preflight "activator.preflight" Step "The activator checks for reasons not to switch."
    Arm "activator.arm" Step "The activator arms the timer for an automatic rollback."
    Switch "activator.switch" Step "The activator runs the switch program."
    StopUnits "activator.stop-units" Step "The activator stops changed units before it replaces their files."
    ReplaceFiles "activator.replace-files" Step "The activator replaces unit files and links in /etc."
    ReloadSystemd "activator.reload-systemd" Step "The activator makes systemd read all units again."
    StartUnits "activator.start-units" Step "The activator starts, restarts and reloads changed units."
    Verify "activator.verify" Step "The activator verifies the running system."
    Return "activator.return" Step "The activator activates the previous system again."
    Commit "activator.commit" Step "The activator records the new state."
    History "activator.history" Step "The activator appends a record to the history."
    Wanted "activator.wanted" Step "The activator records the requested modules."
    Overrides "activator.overrides" Step "The activator records a new generation of option overrides."
    Release "activator.release" Step "The activator removes GC roots and logs that are no longer needed."
    Outcome "activator.outcome" Step "The activator writes the outcome for the relay."

    DiskSync "disk.sync" Step "A new file is synced to the disk."
    DiskRename "disk.rename" Step "A new file replaces the old one."
    WriteRequest "write.request" Write "The request, written by the relay."
    WriteLock "write.lock" Write "The description of the lock's holder."
    WriteState "write.state" Write "The state."
    WriteHistory "write.history" Write "A record of the history."
    WriteUnit "write.unit" Write "A unit file that applies overrides."
    WriteEffects "write.effects" Write "The known effects of options."
    WriteOverrides "write.overrides" Write "A record of the history of overrides."
    WriteWanted "write.wanted" Write "The list of requested modules, which survives reboots."
    WriteKeptOverrides "write.kept-overrides" Write "The option overrides that survive reboots."
    WriteLog "write.log" Write "A remark of this program in the log of a switch."
    WriteOutcome "write.outcome" Write "The outcome."
    CacheResult "cache.result" Write "A cached result, written by the client."
    CacheRoot "cache.root" Write "The cached size of a GC root, written by the client."
    CacheEstimate "cache.estimate" Write "A cached estimate, written by the client."
    CacheOptions "cache.options" Write "The cached options for completion, written by the client."
}

impl Point {
    fn name(self) -> &'static str {
        POINTS
            .iter()
            .find(|(point, ..)| *point == self)
            .map_or("", |(_, name, ..)| name)
    }
}

/// The side of a step on which a fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

/// The effect of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Kill,
    Stop,
    Io,
    NoSpace,
    Short(usize),
    Cut(usize),
}

#[derive(Debug)]
struct ArmedFault {
    point: Point,
    side: Side,
    /// The number of the pass at which the fault happens; `None` for every pass.
    passing: Option<u32>,
    fault: Fault,
    passed: AtomicU32,
}

static ARMED: OnceLock<Vec<ArmedFault>> = OnceLock::new();

/// Configures the faults of this process, unless they are already configured.
pub fn arm(faults: Option<&str>) -> Result<()> {
    let Some(text) = faults.filter(|_| POSSIBLE) else {
        return Ok(());
    };
    let armed = text.split(',').map(parse).collect::<Result<Vec<_>>>()?;
    // The environment variable overrides the fault in the request.
    let _ = ARMED.set(armed);
    Ok(())
}

fn parse(text: &str) -> Result<ArmedFault> {
    let wrong = || FaultError::NotAFault { value: text.into() };
    let mut parts = text.split(':');
    let place = parts.next().unwrap_or_default();
    let (name, passing) = match place.split_once('@') {
        Some((name, "*")) => (name, None),
        Some((name, number)) => (name, Some(number.parse().map_err(|_| wrong())?)),
        None => (place, Some(1)),
    };
    let (point, _, kind, _) = POINTS
        .iter()
        .find(|(_, known, ..)| *known == name)
        .ok_or_else(wrong)?;
    let side = match parts.next() {
        Some("before") => Side::Before,
        Some("after") => Side::After,
        _ => return Err(wrong().into()),
    };
    let fault = match parts.next().unwrap_or("kill") {
        "kill" => Fault::Kill,
        "stop" => Fault::Stop,
        "eio" => Fault::Io,
        "enospc" => Fault::NoSpace,
        other => match (other.split_once('='), kind) {
            (Some(("short", bytes)), PointKind::Write) => {
                Fault::Short(bytes.parse().map_err(|_| wrong())?)
            }
            (Some(("cut", bytes)), PointKind::Write) => {
                Fault::Cut(bytes.parse().map_err(|_| wrong())?)
            }
            _ => return Err(wrong().into()),
        },
    };
    Ok(ArmedFault {
        point: *point,
        // An interrupted write happens in the middle of the point, so `before` and `after` do not
        // apply.
        side: match fault {
            Fault::Short(_) | Fault::Cut(_) => Side::After,
            _ => side,
        },
        passing,
        fault,
        passed: AtomicU32::new(0),
    })
}

/// Runs a step, with the faults that apply before and after it.
pub fn step<T, E: From<io::Error>>(
    point: Point,
    step: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    pass(point, Side::Before)?;
    let done = step()?;
    pass(point, Side::After)?;
    Ok(done)
}

/// Writes all bytes to a file, unless a fault interrupts the write.
pub fn write(point: Point, file: &mut File, bytes: &[u8]) -> io::Result<()> {
    pass(point, Side::Before)?;
    let breaks = due(point, Side::After, |fault| {
        matches!(fault, Fault::Short(_) | Fault::Cut(_))
    });
    match breaks.first() {
        Some(&Fault::Short(length)) => {
            file.write_all(&bytes[..length.min(bytes.len())])?;
            return Err(no_space());
        }
        Some(&Fault::Cut(length)) => {
            file.write_all(&bytes[..length.min(bytes.len())])?;
            die();
        }
        _ => file.write_all(bytes)?,
    }
    pass(point, Side::After)
}

fn pass(point: Point, side: Side) -> io::Result<()> {
    let faults = due(point, side, |fault| {
        !matches!(fault, Fault::Short(_) | Fault::Cut(_))
    });
    for fault in faults {
        match fault {
            Fault::Kill => die(),
            // SIGCONT continues the process here.
            Fault::Stop => drop(raise(Signal::SIGSTOP)),
            Fault::Io => return Err(io::Error::from(unix::errno::Errno::EIO)),
            Fault::NoSpace => return Err(no_space()),
            Fault::Short(_) | Fault::Cut(_) => {}
        }
    }
    Ok(())
}

/// Returns the faults of this kind that must happen now, in the order in which the variable lists
/// them.
fn due(point: Point, side: Side, kind: impl Fn(Fault) -> bool) -> Vec<Fault> {
    if !POSSIBLE {
        return Vec::new();
    }
    let here =
        |armed: &&ArmedFault| armed.point == point && armed.side == side && kind(armed.fault);
    let now = |armed: &ArmedFault| {
        let passing = armed.passed.fetch_add(1, Ordering::SeqCst) + 1;
        let due = armed.passing.is_none_or(|wanted| wanted == passing);
        due.then_some(armed.fault)
    };
    #[cfg(debug_assertions)]
    if let Some(found) = within::armed(|armed| armed.iter().filter(here).filter_map(now).collect())
    {
        return found;
    }
    let armed = ARMED.get().map(Vec::as_slice).unwrap_or_default();
    armed.iter().filter(here).filter_map(now).collect()
}

fn no_space() -> io::Error {
    io::Error::from(unix::errno::Errno::ENOSPC)
}

/// Kills this process immediately. No destructors or handlers run.
fn die() -> ! {
    #[cfg(debug_assertions)]
    within::die();
    loop {
        let _ = raise(Signal::SIGKILL);
    }
}

/// Returns the table of points, one line for each point, with its name, kind and description.
pub fn table() -> String {
    POINTS
        .iter()
        .map(|(point, _, kind, what)| {
            let kind = match kind {
                PointKind::Step => "step",
                PointKind::Write => "write",
            };
            format!("{}\t{kind}\t{what}\n", point.name())
        })
        .collect()
}

/// Injects faults in unit tests of all crates, only on the calling thread and without killing the
/// process.
#[cfg(debug_assertions)]
pub mod within {
    use std::cell::RefCell;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    use super::{ArmedFault, parse};

    thread_local! {
        static HERE: RefCell<Option<Vec<ArmedFault>>> = const { RefCell::new(None) };
    }

    struct Killed;

    /// Runs `doing` with a fault. Returns `None` if the fault killed `doing`. Unlike a real kill,
    /// the simulated kill unwinds the stack. The effect is the same, because our functions do not
    /// clean up in destructors.
    pub fn with<T>(fault: &str, doing: impl FnOnce() -> T) -> Option<T> {
        HERE.set(Some(vec![parse(fault).expect("a fault")]));
        let done = catch_unwind(AssertUnwindSafe(doing));
        HERE.set(None);
        match done {
            Ok(done) => Some(done),
            Err(why) if why.is::<Killed>() => None,
            Err(why) => resume_unwind(why),
        }
    }

    pub(super) fn armed<T>(look: impl FnOnce(&[ArmedFault]) -> T) -> Option<T> {
        HERE.with_borrow(|armed| armed.as_deref().map(look))
    }

    pub(super) fn die() {
        if armed(|_| ()).is_some() {
            resume_unwind(Box::new(Killed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_with_point_side_and_effect_is_parsed() {
        let armed = parse("activator.begin@2:after:enospc").expect("a fault");
        assert_eq!(
            (armed.point, armed.side, armed.passing, armed.fault),
            (Point::Begin, Side::After, Some(2), Fault::NoSpace)
        );
        let armed = parse("write.state@*:after:short=7").expect("a fault");
        assert_eq!((armed.passing, armed.fault), (None, Fault::Short(7)));
        assert_eq!(
            parse("client.plan:before").expect("a fault").fault,
            Fault::Kill
        );
    }

    #[test]
    fn malformed_faults_are_refused() {
        for wrong in [
            "",
            "nowhere:before",
            "client.plan",
            "client.plan:within",
            "client.plan:before:short=1",
            "write.state:after:short=x",
            "write.state@x:after",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_point_has_a_unique_name() {
        let names: std::collections::BTreeSet<&str> =
            POINTS.iter().map(|(_, name, ..)| *name).collect();
        assert_eq!(names.len(), POINTS.len());
    }

    #[test]
    fn unarmed_step_runs_normally() {
        let done: Result<u8> = step(Point::Plan, || Ok(7));
        assert_eq!(done.expect("done"), 7);
    }
}
