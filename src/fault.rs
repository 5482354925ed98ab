//! Faults that the tests inject: at every boundary between two steps, and at every byte of every file that we write.
//!
//! Takes what `RUNTIME_MODULE_FAULT` says, once for each process; does nothing where it says nothing about the point that
//! a step names. A release has none of it: who runs one can not be made to break off by a variable.
//!
//! A fault is `POINT[@N]:before|after[:WHAT]`, several are separated by commas.
//!
//! - `POINT` is a name of the table below (`runtime-module __faults` prints it); `@N` is its Nth passing in a process, the
//!   first if left away, `@*` every one.
//! - `WHAT` is `kill` (SIGKILL to ourselves; the default), `stop` (SIGSTOP: the one who tests can look around, kill others,
//!   and let go), `eio` or `enospc` (the step fails so; after the step: it was done, and says that it failed).
//! - For points that write: `short=N` (N bytes are written, then no space is left), `cut=N` (N bytes are written, then we
//!   are killed).
//!
//! Where several are due at one place all happen, in their order: `P:before:stop,P:before:eio` can be seen, and then fails.

use std::fs::File;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use unix::sys::signal::{Signal, raise};

use crate::error::Failure;

/// Whether this build injects faults at all.
pub const POSSIBLE: bool = cfg!(debug_assertions);

/// What a point is passed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A step.
    Step,
    /// Bytes on their way into a file.
    Write,
}

macro_rules! points {
    ($($variant:ident $name:literal $kind:ident $what:literal)*) => {
        /// Where a fault can be injected.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Point {
            $(#[doc = $what] $variant,)*
        }

        /// Every point: itself, its name, what it is passed by, what the step does.
        pub const POINTS: &[(Point, &str, Kind, &str)] =
            &[$((Point::$variant, $name, Kind::$kind, $what),)*];
    };
}

// The first part of a name is the process that passes the point: client, evaluator, relay, activator. Files are written by
// the activator, but for the request, which is the relay's, and the cache, which is the client's.
points! {
    Plan "client.plan" Step "The client reads the situation and makes a plan."
    Elevate "client.elevate" Step "The client starts the activator, which waits."
    Lock "client.lock" Step "The client locks the flake."
    Evaluate "client.evaluate" Step "The client has the evaluator evaluate."
    Query "client.query" Step "The client asks what is missing in the store."
    Realise "client.realise" Step "The client has it built and fetched."
    Ask "client.request" Step "The client hands the request to the activator."
    Follow "client.follow" Step "The client waits for the outcome."
    Report "client.report" Step "The client prints the result."

    EvaluatorOpen "evaluator.open" Step "The evaluator opens libnix."
    EvaluatorLock "evaluator.lock" Step "The evaluator fetches and calls the flake."
    EvaluatorEvaluate "evaluator.evaluate" Step "The evaluator evaluates the toplevel."
    EvaluatorAnswer "evaluator.answer" Step "The evaluator sends its answer."

    RelayRequest "relay.request" Step "The relay writes the request down."
    RelayStart "relay.start" Step "The relay starts the activator in a unit or session of its own."
    RelayFollow "relay.follow" Step "The relay follows the log until the outcome is there."

    Held "activator.lock" Step "The activator takes the lock."
    Compare "activator.compare" Step "It compares state and running system with the request."
    Root "activator.root" Step "It roots what is to run and what ran."
    Begin "activator.begin" Step "It writes down what is about to happen."
    Preflight "activator.preflight" Step "It looks for reasons not to switch."
    Arm "activator.arm" Step "It arms the timer that returns unless confirmed."
    Switch "activator.switch" Step "It runs the switch program."
    Verify "activator.verify" Step "It looks at what runs then."
    Return "activator.return" Step "It activates the previous system again."
    Commit "activator.commit" Step "It writes down what is true now."
    History "activator.history" Step "It adds a record to the history."
    Wanted "activator.wanted" Step "It writes down what is wanted over reboots."
    Release "activator.release" Step "It lets go of roots and logs that nothing returns to."
    Outcome "activator.outcome" Step "It writes the outcome for whoever follows."

    DiskSync "disk.sync" Step "What was written into a new file reaches the disk."
    DiskRename "disk.rename" Step "A new file takes the place of the old one."
    WriteRequest "write.request" Write "The request, by the relay."
    WriteLock "write.lock" Write "The name of who has the lock."
    WriteState "write.state" Write "The state."
    WriteHistory "write.history" Write "A record of the history."
    WriteWanted "write.wanted" Write "What is wanted over reboots."
    WriteLog "write.log" Write "A remark of ours in the log of a switch."
    WriteOutcome "write.outcome" Write "The outcome."
    CacheResult "cache.result" Write "A result of evaluation, into the cache, by the client."
    CacheRoot "cache.root" Write "What a root of the cache keeps, by the client."
    CacheEstimate "cache.estimate" Write "How an evaluation went, into the cache, by the client."
}

impl Point {
    fn name(self) -> &'static str {
        POINTS
            .iter()
            .find(|(point, ..)| *point == self)
            .map_or("", |(_, name, ..)| name)
    }
}

/// On which side of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

/// What goes wrong.
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
struct Armed {
    point: Point,
    side: Side,
    /// Which passing; none for every one.
    passing: Option<u32>,
    fault: Fault,
    passed: AtomicU32,
}

static ARMED: OnceLock<Vec<Armed>> = OnceLock::new();

/// Arms this process with faults, the first time that it is given any.
pub fn arm(faults: Option<&str>) -> Result<()> {
    let Some(text) = faults.filter(|_| POSSIBLE) else {
        return Ok(());
    };
    let armed = text.split(',').map(parse).collect::<Result<Vec<_>>>()?;
    // Whoever was armed by its own environment is not armed again by a request.
    let _ = ARMED.set(armed);
    Ok(())
}

fn parse(text: &str) -> Result<Armed> {
    let wrong = || {
        Failure::Usage
            .error(format!("RUNTIME_MODULE_FAULT={text}: no fault is called that"))
            .hint("POINT[@N]:before|after[:kill|:stop|:eio|:enospc|:short=N|:cut=N]; `runtime-module __faults` lists the points")
    };
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
            (Some(("short", bytes)), Kind::Write) => {
                Fault::Short(bytes.parse().map_err(|_| wrong())?)
            }
            (Some(("cut", bytes)), Kind::Write) => Fault::Cut(bytes.parse().map_err(|_| wrong())?),
            _ => return Err(wrong().into()),
        },
    };
    Ok(Armed {
        point: *point,
        // A write that is cut short is neither before nor after it.
        side: match fault {
            Fault::Short(_) | Fault::Cut(_) => Side::After,
            _ => side,
        },
        passing,
        fault,
        passed: AtomicU32::new(0),
    })
}

/// Does a step, between the two boundaries of its point.
pub fn step<T, E: From<io::Error>>(
    point: Point,
    step: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    pass(point, Side::Before)?;
    let done = step()?;
    pass(point, Side::After)?;
    Ok(done)
}

/// Writes all of `bytes` into a file.
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
            // Going on when let go.
            Fault::Stop => drop(raise(Signal::SIGSTOP)),
            Fault::Io => return Err(io::Error::from(unix::errno::Errno::EIO)),
            Fault::NoSpace => return Err(no_space()),
            Fault::Short(_) | Fault::Cut(_) => {}
        }
    }
    Ok(())
}

/// The faults of this kind that are due now, in the order in which they were named.
fn due(point: Point, side: Side, kind: impl Fn(Fault) -> bool) -> Vec<Fault> {
    if !POSSIBLE {
        return Vec::new();
    }
    let here = |armed: &&Armed| armed.point == point && armed.side == side && kind(armed.fault);
    let now = |armed: &Armed| {
        let passing = armed.passed.fetch_add(1, Ordering::SeqCst) + 1;
        let due = armed.passing.is_none_or(|wanted| wanted == passing);
        due.then_some(armed.fault)
    };
    #[cfg(test)]
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

/// Nothing of ours runs after this: no destructor, no handler.
fn die() -> ! {
    #[cfg(test)]
    within::die();
    loop {
        let _ = raise(Signal::SIGKILL);
    }
}

/// The table, for whoever injects faults: name, kind and purpose of each point, a line each.
pub fn table() -> String {
    POINTS
        .iter()
        .map(|(point, _, kind, what)| {
            let kind = match kind {
                Kind::Step => "step",
                Kind::Write => "write",
            };
            format!("{}\t{kind}\t{what}\n", point.name())
        })
        .collect()
}

/// Faults in a unit test: only on the thread that asks for them, and without the death of the process.
#[cfg(test)]
pub mod within {
    use std::cell::RefCell;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    use super::{Armed, parse};

    thread_local! {
        static HERE: RefCell<Option<Vec<Armed>>> = const { RefCell::new(None) };
    }

    struct Killed;

    /// Does something with a fault on its way. None: it was killed. No destructor that tidies up is run by a kill, nor by
    /// this where functions tidy up after errors, as ours do.
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

    pub(super) fn armed<T>(look: impl FnOnce(&[Armed]) -> T) -> Option<T> {
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
    fn a_fault_has_a_place_a_side_and_a_kind() {
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
    fn anything_else_is_refused() {
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
    fn every_point_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<&str> =
            POINTS.iter().map(|(_, name, ..)| *name).collect();
        assert_eq!(names.len(), POINTS.len());
    }

    #[test]
    fn nothing_happens_where_nothing_is_armed() {
        let done: Result<u8> = step(Point::Plan, || Ok(7));
        assert_eq!(done.expect("done"), 7);
    }
}
