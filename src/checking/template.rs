//! The template's role: evaluates a host, and forks a child for each job.
//!
//! It has one thread, since a fork copies no more than that: no logger thread, no signal thread, none of the collector's
//! helpers (`GC_MARKERS=1`); libnix's own (fetching, building) are only there when it fetches or builds. Whether it is so is
//! counted at each fork, and where it is not, the job is given back: an evaluator of its own fetches what is missing, and then a
//! second template finds it in the store.
//!
//! Where children can use the host's packages, it evaluates the host itself. Where they cannot, next to nothing of that would be
//! of use to them: then a child evaluates the host, and the template only reads the files that this took.

use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::{Context as _, Result};
use unix::sys::resource::{Resource, getrlimit, setrlimit};
use unix::sys::wait::waitpid;

use super::child::{Ground, ended, evaluate_host, live, own_memory};
use super::forking::{Child, Forking};
use super::{Ask, Ended, Job, Outcome, Say};
use crate::evaluation::{
    Evaluated, FlakeSource, ModuleRequest, Opened, Request, SYSTEM, Target, read, text,
};
use crate::libnix::{
    Evaluator, Event, Expression, Libnix, Settings, Subject, compute_only, evaluated_file,
    evaluation_stack, fork_child,
};
use crate::registry::Registered;
use crate::timings::{Counters, milliseconds};
use crate::worker::{Greeting, send};

/// The verbosity at which libnix says which files it evaluates.
const TALKATIVE: u8 = 4;

/// Reads a file as evaluation will: what it has parsed stays.
const IMPORT: Expression = Expression {
    name: "import.nix",
    text: "_: _: file: builtins.seq (import file) null",
};

/// Runs the role on stdin, which is a socket to the client.
pub fn run() -> Result<()> {
    let socket = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .context("take over stdin")?;
    let mut client = Client {
        socket: UnixStream::from(socket),
        heard: Vec::new(),
    };
    send(&mut client.socket, &Greeting::ours())?;
    let Some(Ask::Open { settings, flake }) = client.wait()? else {
        return Ok(());
    };
    // The first thread's stack grows up to its limit, whatever that was when the process began.
    let (_, most) = getrlimit(Resource::RLIMIT_STACK).context("ask for the limit of the stack")?;
    setrlimit(Resource::RLIMIT_STACK, evaluation_stack().min(most), most)
        .context("raise the limit of the stack")?;
    compute_only();
    match serve(&mut client, &settings, &flake) {
        Ok(()) => Ok(()),
        Err(error) => client.say(&Say::Failed {
            ended: Box::new(ended(
                &request(&settings, &flake, "", Vec::new()),
                Err(error),
            )),
        }),
    }
}

fn request(
    settings: &Settings,
    flake: &FlakeSource,
    host: &str,
    modules: Vec<ModuleRequest>,
) -> Request {
    Request {
        modules,
        ..Request::of(settings.clone(), flake.clone(), host, Target::Toplevel)
    }
}

fn serve(client: &mut Client, settings: &Settings, flake: &FlakeSource) -> Result<()> {
    // What libnix reports is said again by whatever fails of it, and nobody waits for the rest.
    let files = Files::default();
    let settings = &Settings {
        verbosity: TALKATIVE,
        ..settings.clone()
    };
    let libnix = Libnix::open(settings.clone(), files.listen())?;
    let evaluator = libnix.evaluator_here()?;
    let asking = request(settings, flake, "", Vec::new());
    let opened = Opened::open(&evaluator, flake)?;
    let source = opened.store_path(&evaluator)?;
    let outputs = opened.outputs(&evaluator, &asking, &[])?;
    let names = evaluator.apply(&SYSTEM, &outputs, &text(&asking, false))?;
    client.say(&Say::Opened {
        hosts: names.get("hosts")?,
    })?;
    let Some(Ask::Base {
        host,
        share: wanted,
        bytes,
    }) = client.wait()?
    else {
        return Ok(());
    };

    let asking = request(settings, flake, &host, Vec::new());
    let mut ground = Ground {
        libnix: &libnix,
        evaluator: &evaluator,
        outputs: &outputs,
        share: false,
        source: &source,
    };
    let begun = Instant::now();
    let (registry, mut outcome) = match registry(&ground, &asking).and_then(|(registry, share)| {
        ground.share = wanted && share;
        let outcome = match ground.share {
            true => host_here(&ground, &asking)?,
            false => host_apart(&ground, &asking, &files, bytes)?,
        };
        Ok((registry, outcome))
    }) {
        Ok(found) => found,
        Err(error) => {
            return client.say(&Say::Failed {
                ended: Box::new(ended(&asking, Err(error))),
            });
        }
    };
    if matches!(outcome.ended, Ended::Failed { .. }) {
        return client.say(&Say::Failed {
            ended: Box::new(outcome.ended),
        });
    }
    outcome.milliseconds = milliseconds(begun.elapsed());
    let counters = counted(&ground)?;
    if ground.share {
        outcome.counters = counters.clone();
    }
    client.say(&Say::Ready {
        registry,
        outcome: Box::new(outcome),
    })?;
    let fork = |job: &Job| {
        let asking = request(settings, flake, &host, job.modules.clone());
        fork_child(&[], |pipe| live(&ground, &asking, pipe))
    };
    Forking::new(counters).work(client, fork)
}

/// The modules that the host has, and whether children may use its packages.
fn registry(ground: &Ground<'_>, asking: &Request) -> Result<(Vec<Registered>, bool)> {
    let asking = Request {
        target: Target::Registry,
        ..asking.clone()
    };
    let value = ground
        .evaluator
        .apply(&SYSTEM, ground.outputs, &text(&asking, false))?;
    let mut evaluated = Evaluated::default();
    read(&value, &asking, &mut evaluated, |_| ())?;
    Ok((evaluated.registry, value.get("mayShare")?))
}

/// Evaluates the host in this process, where all that comes of it is of use to children.
fn host_here(ground: &Ground<'_>, asking: &Request) -> Result<Outcome> {
    let value = ground
        .evaluator
        .apply(&SYSTEM, ground.outputs, &text(asking, false))?;
    let mut evaluated = Evaluated::default();
    read(&value, asking, &mut evaluated, |_| ())?;
    Ok(Outcome {
        bytes: own_memory("self"),
        ..Outcome::of(Ended::Evaluated {
            evaluated: Box::new(evaluated),
        })
    })
}

/// Has a child evaluate the host, and reads the files that it read: their syntax is all that is of use to others.
fn host_apart(
    ground: &Ground<'_>,
    asking: &Request,
    files: &Files,
    bytes: Option<u64>,
) -> Result<Outcome> {
    let before = counted(ground)?;
    let forked = fork_child(&[], |pipe| {
        evaluate_host(ground, asking, pipe, || files.take());
    })
    .context("fork an evaluator")?;
    let mut outcome = Child::alone(forked, bytes).wait(&before)?;
    for file in std::mem::take(&mut outcome.files) {
        // A file that cannot be read like this is read by whoever needs it.
        let _ = import(ground.evaluator, &file);
    }
    Ok(outcome)
}

fn import(evaluator: &Evaluator, file: &str) -> Result<()> {
    let value = evaluator.apply_to(&IMPORT, Subject::Nothing, file)?;
    Ok(value.force()?)
}

/// The files that libnix evaluates.
#[derive(Clone, Default)]
struct Files(Arc<Mutex<Vec<String>>>);

impl Files {
    /// What libnix is to tell everything.
    fn listen(&self) -> impl Fn(Event) + Send + Sync + 'static {
        let files = self.clone();
        move |event| {
            if let (Some(file), Ok(mut files)) = (evaluated_file(&event), files.0.lock()) {
                files.push(file.into());
            }
        }
    }

    /// Those since it was asked before.
    fn take(&self) -> Vec<String> {
        self.0
            .lock()
            .map(|mut files| std::mem::take(&mut *files))
            .unwrap_or_default()
    }
}

/// What was counted so far: by a child, since libnix prints it to where a variable says, and ours is the client's.
fn counted(ground: &Ground<'_>) -> Result<Counters> {
    let mut child = fork_child(&[], |pipe| {
        if crate::libnix::print_to(&pipe).is_ok() {
            let _ = ground.evaluator.print_counters();
        }
    })
    .context("fork an evaluator")?;
    let mut text = String::new();
    child
        .output
        .read_to_string(&mut text)
        .context("read the counters")?;
    waitpid(child.pid, None).context("wait for a child")?;
    Ok(Counters::from_statistics(&text))
}

/// The other end, read without waiting longer than for a line.
pub(super) struct Client {
    pub(super) socket: UnixStream,
    heard: Vec<u8>,
}

impl Client {
    pub(super) fn say(&mut self, what: &Say) -> Result<()> {
        send(&mut self.socket, what)
    }

    /// The next thing that is asked; none when the client is gone.
    fn wait(&mut self) -> Result<Option<Ask>> {
        loop {
            if let Some(ask) = self.next()? {
                return Ok(Some(ask));
            }
            if !self.hear()? {
                return Ok(None);
            }
        }
    }

    /// Reads what is there; false at the end.
    pub(super) fn hear(&mut self) -> Result<bool> {
        let mut bytes = [0; 1 << 16];
        let count = self
            .socket
            .read(&mut bytes)
            .context("listen to the client")?;
        self.heard.extend_from_slice(&bytes[..count]);
        Ok(count > 0)
    }

    /// What has been asked and is whole.
    pub(super) fn next(&mut self) -> Result<Option<Ask>> {
        let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') else {
            return Ok(None);
        };
        let line: Vec<u8> = self.heard.drain(..=end).collect();
        serde_json::from_slice(&line)
            .map(Some)
            .context("read what is asked")
    }
}
