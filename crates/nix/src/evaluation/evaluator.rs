//! The evaluator process: answers one request and exits, which returns its memory to the machine.
//!
//! It may be killed at any time. Its main thread waits until the client disconnects. Then the
//! process exits, even during the evaluation.

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

use super::answer::read;
use super::expression::{SYSTEM, asked, text, with_beside};
use super::opened::Opened;
use super::pin::pinned_inputs;
use super::{
    Evaluated, EvaluationRequest, EvaluatorMessage, Target, advice, explain, expressions, fetching,
    heap, overridden,
};
use crate::fault::{Point, step};
use crate::libnix::{
    Evaluator, Libnix, NixError, Outputs, Settings, Value, interrupt, touch_ahead,
};
use crate::messages::{Greeting, receive, send};
use crate::option_names::SettableOptions;
use crate::timings::{Phase, milliseconds};
use crate::worker::give_up_privileges;

/// Time during which libnix's events are collected before they are sent together.
const MOMENT: Duration = Duration::from_millis(20);

/// Runs the evaluator. Its stdin is a socket to the client. With `settings`, libnix is opened
/// before the request arrives; otherwise it is opened with the settings of the request.
pub fn run(settings: Option<Settings>) -> Result<()> {
    give_up_privileges()?;
    let socket = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .context("cannot use stdin")?;
    let mut socket = UnixStream::from(socket);
    send(&mut socket, &Greeting::ours())?;
    let mut requests = BufReader::new(socket.try_clone().context("cannot duplicate the socket")?);
    let mut first = None;
    let settings = match settings {
        Some(settings) => settings,
        None => match receive::<EvaluationRequest>(&mut requests)? {
            Some(request) => first.insert(request).settings.clone(),
            None => return Ok(()),
        },
    };
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot handle signals")?;
    let (queue, outbox) = channel();
    let events = queue.clone();
    let libnix = step(Point::EvaluatorOpen, || {
        Libnix::open(settings, move |event| {
            // If this fails, the client is gone, and this process will exit too.
            let _ = events.send(EvaluatorMessage::Libnix { event });
        })
    })?;
    send(&mut socket, &EvaluatorMessage::StoreOpened)?;
    if std::thread::available_parallelism().is_ok_and(|count| count.get() > 1) {
        // If this fails, evaluation is only slower.
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
    let (hand_over, mut asked) = channel::<EvaluationRequest>();
    std::thread::spawn(move || answer(libnix, &mut asked, &answers));
    if let Some(request) = first.map_or_else(|| receive(&mut requests), |first| Ok(Some(first)))? {
        // This cannot fail, because the answering thread waits for the request.
        let _ = hand_over.send(request);
    }
    // The client sends no further requests, so this call waits until the client disconnects.
    let _ = receive::<EvaluationRequest>(&mut requests);
    drop(writer);
    Ok(())
}

/// Evaluates the request, and answers it. If the evaluator can be opened, does not return before
/// the process exits.
fn answer(libnix: Libnix, asked: &mut Receiver<EvaluationRequest>, answers: &Answers) {
    let failed = |request: &EvaluationRequest, error: &anyhow::Error| {
        let failed = explain::error(request, error);
        let places = failed.places.clone();
        EvaluatorMessage::Failed { failed, places }
    };
    let lent = &mut *asked;
    let opened = libnix.with_evaluator::<Infallible>(|evaluator| {
        // Move the exclusive reference into this closure: a `Receiver` is not `Sync`, so two
        // threads cannot share it.
        let asked = lent;
        // If there is no request, the client has disconnected, and the process exits.
        if let Ok(request) = asked.recv() {
            let last = match evaluate(evaluator, &request, answers) {
                Ok(evaluated) => EvaluatorMessage::Done {
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
        // The process stays until the client disconnects, because its temporary GC roots protect
        // the result. It does not free the values of the evaluation: for a NixOS system, this would
        // take 30 ms, and the exit frees them anyway.
        loop {
            std::thread::park();
        }
    });
    let Err(error) = opened;
    if let Ok(request) = asked.recv() {
        answers.say(failed(&request, &error));
    }
    std::mem::forget(libnix);
}

/// The queue of answers, and the thread that writes them to the client.
struct Answers {
    queue: Sender<EvaluatorMessage>,
    writer: Thread,
}

impl Answers {
    /// Sends an answer immediately, together with all earlier answers.
    fn say(&self, answer: EvaluatorMessage) {
        // If this fails, the client is gone, and this process will exit too.
        let _ = self.queue.send(answer);
        self.writer.unpark();
    }
}

/// Writes the answers of the other threads, so that these threads do not wait for the client.
/// Events of libnix are collected for a moment and written together, because waking a thread for
/// each of several thousand files would take 5 % of the evaluation time.
fn forward(outbox: &Receiver<EvaluatorMessage>, socket: UnixStream) {
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

fn evaluate(
    evaluator: &Evaluator,
    request: &EvaluationRequest,
    answers: &Answers,
) -> Result<Evaluated> {
    let begun = Instant::now();
    let opened = step(Point::EvaluatorLock, || {
        Opened::open(evaluator, &request.source)
    })?;
    let locked = opened.locked(evaluator)?;
    let lock = milliseconds(begun.elapsed());
    answers.say(EvaluatorMessage::Phase {
        phase: Phase::Lock,
        milliseconds: lock,
    });
    if request.target == Target::Source {
        return Ok(Evaluated {
            source: locked.source.map(String::from).unwrap_or_default(),
            ..Evaluated::default()
        });
    }
    if request.target == Target::Expressions {
        return expressions::evaluate(evaluator, &opened, request);
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
        inputs: pinned_inputs(&locked)?,
        source: locked.source.map(String::from).unwrap_or_default(),
        lock: locked.lock,
        lock_changed: locked.lock_changed,
        ..Evaluated::default()
    };
    let read = read(&value, request, &mut evaluated, |warnings| {
        answers.say(EvaluatorMessage::Warnings {
            warnings: warnings.to_vec(),
        });
    });
    if let Err(error) = read {
        return Err(explained(evaluator, &outputs, request, &evaluated, error));
    }
    if request.list_options {
        evaluated.settable = settable(&value);
    }
    answers.say(EvaluatorMessage::Phase {
        phase: Phase::Evaluate,
        milliseconds: milliseconds(begun.elapsed()),
    });
    evaluator.print_counters()?;
    evaluated.counters.peak_bytes = heap::peak();
    Ok(evaluated)
}

/// Lists the options that can be set. Completion also works without them, or with a part of them.
fn settable(value: &Value<'_>) -> SettableOptions {
    let Ok(settable) = value.part("settable") else {
        return SettableOptions::default();
    };
    SettableOptions {
        paths: settable.get("paths").unwrap_or_default(),
        submodules: settable.get("submodules").unwrap_or_default(),
    }
}

/// Explains an error with details that only the evaluator or the store knows: why an override
/// cannot be applied, the options next to a missing option, or the inputs that are in the store if
/// another input cannot be fetched.
fn explained(
    evaluator: &Evaluator,
    outputs: &Outputs,
    request: &EvaluationRequest,
    locked: &Evaluated,
    error: anyhow::Error,
) -> anyhow::Error {
    let Some(nix) = error.downcast_ref::<NixError>() else {
        return error;
    };
    if let Some(refusal) = overridden::refusal_after_failure(evaluator, outputs, request) {
        return refusal.into();
    }
    let lost = overridden::lost_option(request, &nix.message)
        .or_else(|| overridden::lost_store_path(request, &nix.message));
    if let Some(failed) = lost {
        return failed.into();
    }
    let failed = explain::error(request, &error);
    if let Some(meant) = option_meant(evaluator, outputs, request, &error) {
        // Put the most helpful hint first.
        let mut failed = failed;
        failed.hints.insert(0, meant);
        return failed.into();
    }
    if fetching::concerns(nix) {
        return fetching::with_inputs(failed, &locked.lock, &locked.source).into();
    }
    failed.into()
}

/// Suggests options of the host in place of a missing one.
pub fn option_meant(
    evaluator: &Evaluator,
    outputs: &Outputs,
    request: &EvaluationRequest,
    error: &anyhow::Error,
) -> Option<String> {
    let path = advice::missing_option(&error.downcast_ref::<NixError>()?.message)
        .filter(|path| *path != ["imports"])?;
    let bare = EvaluationRequest {
        modules: Vec::new(),
        extras: Vec::new(),
        overrides: Vec::new(),
        describe: Vec::new(),
        ..request.clone()
    };
    let mut asked = asked(&bare, false);
    asked["beside"] = json!(path[..path.len().saturating_sub(1)]);
    let siblings = evaluator
        .apply(&SYSTEM, outputs, &asked.to_string())
        .map_err(anyhow::Error::from)
        .and_then(|value| value.get::<Vec<String>>("beside"));
    // If the type of an option also fails to evaluate, there are no names to suggest.
    Some(advice::meant(&path, &siblings.unwrap_or_default()))
}

/// Returns the outputs of the source, with an external value for each extra module.
fn with_extras(
    evaluator: &Evaluator,
    opened: &Opened,
    request: &EvaluationRequest,
) -> Result<Outputs> {
    with_beside(evaluator, opened, request, Vec::new())
}
