//! The evaluator's role: one request, one answer, then it ends and its memory goes back to the machine.
//!
//! It may be killed at any time. Its main thread waits for the client; when the client is gone, so is this process,
//! whatever the evaluation is doing.

use std::convert::Infallible;
use std::io::{BufReader, Write};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::Thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::explain::Problem;
use super::opened::{Opened, lock};
use super::pin::pinned_inputs;
use super::{
    Answer, Evaluated, ExtraRequest, Facts, Request, Target, advice, explain, fetching, heap,
};
use crate::error::Failed;
use crate::fault::{Point, step};
use crate::libnix::{
    Beside, Evaluator, Expression, Libnix, NixError, Outputs, Settings, Value, interrupt,
    touch_ahead,
};
use crate::timings::{Phase, milliseconds};
use crate::worker::{Greeting, receive, send};

/// Our own expression.
pub const SYSTEM: Expression = Expression {
    name: "system.nix",
    text: SYSTEM_TEXT,
};

/// Its text, which is part of what a result depends on.
pub const SYSTEM_TEXT: &str = include_str!("system.nix");

/// For how long libnix's events wait for others, to go out together.
const MOMENT: Duration = Duration::from_millis(20);

/// Runs the role on stdin, which is a socket to the client. Where it is known beforehand how libnix is to be opened, that
/// is done while the client is still thinking; otherwise the request says it.
pub fn run(settings: Option<Settings>) -> Result<()> {
    let socket = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .context("take over stdin")?;
    let mut socket = UnixStream::from(socket);
    send(&mut socket, &Greeting::ours())?;
    let mut requests = BufReader::new(socket.try_clone().context("share the socket")?);
    let mut first = None;
    let settings = match settings {
        Some(settings) => settings,
        None => match receive::<Request>(&mut requests)? {
            Some(request) => first.insert(request).settings.clone(),
            None => return Ok(()),
        },
    };
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("listen for signals")?;
    let (queue, outbox) = channel();
    let events = queue.clone();
    let libnix = step(Point::EvaluatorOpen, || {
        Libnix::open(settings, move |event| {
            // The client is gone where this fails, and we will be too.
            let _ = events.send(Answer::Libnix { event });
        })
    })?;
    if std::thread::available_parallelism().is_ok_and(|count| count.get() > 1) {
        // Without it evaluation only takes longer.
        let _ = touch_ahead();
    }
    std::thread::spawn(move || {
        for _ in &mut signals {
            let _ = interrupt();
        }
    });
    let writer = std::thread::spawn(move || forward(&outbox, socket));
    let answers = Answers {
        queue,
        writer: writer.thread().clone(),
    };
    let (hand_over, mut asked) = channel::<Request>();
    std::thread::spawn(move || {
        let failed = |request: &Request, error: &anyhow::Error| {
            let failed = explain::error(request, error);
            let places = failed.places.clone();
            Answer::Failed { failed, places }
        };
        let lent = &mut asked;
        let opened = libnix.with_evaluator::<Infallible>(|evaluator| {
            // Taken whole: a receiver may be lent to another thread, but not shared with one.
            let asked = lent;
            // Without a request the client has hung up, and the process ends.
            if let Ok(request) = asked.recv() {
                let last = match evaluate(evaluator, &request, &answers) {
                    Ok(evaluated) => Answer::Done {
                        evaluated: Box::new(evaluated),
                    },
                    Err(error) => failed(&request, &error),
                };
                if let Err(error) = step(Point::EvaluatorAnswer, || {
                    answers.say(last);
                    anyhow::Ok(())
                }) {
                    answers.say(failed(&request, &error));
                }
            }
            // The process stays until the client hangs up, and with it the temporary roots of what was made. To take a
            // whole NixOS apart value by value would cost 30 ms, and what for: the process ends.
            loop {
                std::thread::park();
            }
        });
        let Err(error) = opened;
        if let Ok(request) = asked.recv() {
            answers.say(failed(&request, &error));
        }
        std::mem::forget(libnix);
    });
    if let Some(request) = first.map_or_else(|| receive(&mut requests), |first| Ok(Some(first)))? {
        // The thread only ends with the process.
        let _ = hand_over.send(request);
    }
    // Nothing more is expected but the end.
    let _ = receive::<Request>(&mut requests);
    drop(writer);
    Ok(())
}

/// Says things to the client.
struct Answers {
    queue: Sender<Answer>,
    writer: Thread,
}

impl Answers {
    /// At once, with everything that was said before.
    fn say(&self, answer: Answer) {
        // The client is gone where this fails, and we will be too.
        let _ = self.queue.send(answer);
        self.writer.unpark();
    }
}

/// Writes what the other threads have to say, so that none of them waits for the client. libnix's events wait for a
/// moment and go out together: to wake a thread for each of some thousand files is a twentieth of an evaluation.
fn forward(outbox: &Receiver<Answer>, socket: UnixStream) {
    let mut socket = std::io::BufWriter::new(socket);
    loop {
        std::thread::park_timeout(MOMENT);
        loop {
            match outbox.try_recv() {
                Ok(answer) => {
                    if serde_json::to_writer(&mut socket, &answer).is_err()
                        || socket.write_all(b"\n").is_err()
                    {
                        return;
                    }
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    let _ = socket.flush();
                    return;
                }
            }
        }
        if socket.flush().is_err() {
            return;
        }
    }
}

fn evaluate(evaluator: &Evaluator, request: &Request, answers: &Answers) -> Result<Evaluated> {
    let begun = Instant::now();
    let opened = step(Point::EvaluatorLock, || {
        Opened::open(evaluator, &request.flake)
    })?;
    let told = opened.told(evaluator)?;
    let lock = milliseconds(begun.elapsed());
    answers.say(Answer::Phase {
        phase: Phase::Lock,
        milliseconds: lock,
    });
    if request.target == Target::Source {
        return Ok(Evaluated {
            source: told.source,
            ..Evaluated::default()
        });
    }
    if let Some(measure) = &request.measure {
        let mut evaluated = super::measure::measure(evaluator, &opened, request, measure)?;
        evaluated.measured.lock = lock;
        return Ok(evaluated);
    }

    let begun = Instant::now();
    let outputs = with_extras(evaluator, &opened, request)?;
    let value = evaluator.apply(&SYSTEM, &outputs, &text(request, false))?;
    let mut evaluated = Evaluated {
        inputs: pinned_inputs(&told)?,
        source: told.source,
        lock: told.lock,
        lock_changed: told.lock_changed,
        ..Evaluated::default()
    };
    let read = read(&value, request, &mut evaluated, |warnings| {
        answers.say(Answer::Warnings {
            warnings: warnings.to_vec(),
        });
    });
    if let Err(error) = read {
        return Err(explained(evaluator, &outputs, request, &evaluated, error));
    }
    answers.say(Answer::Phase {
        phase: Phase::Evaluate,
        milliseconds: milliseconds(begun.elapsed()),
    });
    evaluator.print_counters()?;
    evaluated.counters.peak_bytes = heap::peak();
    Ok(evaluated)
}

/// An error with what only an evaluator or the store can add to it: which options there are instead of one that there is
/// not, and which inputs are there although one cannot be fetched.
fn explained(
    evaluator: &Evaluator,
    outputs: &Outputs,
    request: &Request,
    locked: &Evaluated,
    error: anyhow::Error,
) -> anyhow::Error {
    let Some(nix) = error.downcast_ref::<NixError>() else {
        return error;
    };
    let failed = explain::error(request, &error);
    if let Some(path) = advice::missing_option(&nix.message) {
        let parents = &path[..path.len().saturating_sub(1)];
        let asked =
            json!({ "host": request.host, "modules": [], "toplevel": false, "beside": parents });
        let beside = evaluator
            .apply(&SYSTEM, outputs, &asked.to_string())
            .map_err(anyhow::Error::from)
            .and_then(|value| value.get::<Vec<String>>("beside"));
        // An option's own type may fail as well; then there is nothing to offer.
        let meant = advice::meant(&path, &beside.unwrap_or_default());
        return first_hint(failed, meant).into();
    }
    if fetching::concerns(nix) {
        return fetching::with_inputs(failed, &locked.lock, &locked.source).into();
    }
    failed.into()
}

/// What helps most is said first.
fn first_hint(mut failed: Failed, hint: String) -> Failed {
    failed.hints.insert(0, hint);
    failed
}

/// The outputs, and beside them each extra module in turn.
fn with_extras(evaluator: &Evaluator, opened: &Opened, request: &Request) -> Result<Outputs> {
    let extras = &request.extras;
    let lock = |extra: &ExtraRequest| {
        let flake = extra.flake.as_ref();
        flake.map(|flake| lock(evaluator, flake)).transpose()
    };
    let flakes = extras.iter().map(lock).collect::<Result<Vec<_>>>()?;
    let beside: Vec<Beside<'_>> = extras
        .iter()
        .zip(&flakes)
        .map(|(extra, flake)| match flake {
            Some(flake) => Beside::Flake(flake),
            None => Beside::Path(extra.path.as_deref().unwrap_or_default()),
        })
        .collect();
    opened.outputs(evaluator, request, &beside)
}

/// The request as our expression wants it. `share`: the host's own packages may be used where they are proved to be the same.
pub fn text(request: &Request, share: bool) -> String {
    json!({
        "host": request.host,
        "modules": request.modules,
        "extras": request.extras,
        "specialisation": request.specialisation,
        "toplevel": matches!(request.target, Target::Toplevel | Target::ToplevelAndBase),
        "sharePkgs": share,
    })
    .to_string()
}

/// Forces what was asked for, in the order in which it is worth knowing, and reads it.
pub fn read(
    value: &Value<'_>,
    request: &Request,
    evaluated: &mut Evaluated,
    warn: impl FnOnce(&[String]),
) -> Result<()> {
    if let Some(problem) = value.get::<Option<Problem>>("problem")? {
        return Err(explain::problem(request, &problem).into());
    }
    if request.target == Target::Registry {
        evaluated.registry = value.get("registry")?;
        return Ok(());
    }
    evaluated.warnings = value.get("warnings")?;
    warn(&evaluated.warnings);
    let failed: Vec<String> = value.get("failedAssertions")?;
    if !failed.is_empty() {
        return Err(explain::assertions(request, &failed).into());
    }
    evaluated.toplevel = Some(step(Point::EvaluatorEvaluate, || value.get("toplevel"))?);
    evaluated.facts = value.get::<Facts>("facts")?;
    if request.target == Target::ToplevelAndBase {
        evaluated.base = Some(value.get("base")?);
    }
    Ok(())
}
