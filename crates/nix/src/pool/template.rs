//! The template process: evaluates a host and forks a child for each job.
//!
//! The template has one thread, because a fork copies only one. It has no logger thread, no signal
//! thread and no helper threads of the garbage collector (`GC_MARKERS=1`). libnix starts its own
//! threads only to fetch or build. `nix-ffi` counts the threads at each fork. If it finds more than
//! one, the template returns the job, and a separate evaluator fetches the missing inputs. A second
//! template then finds them in the store.
//!
//! If children can use the host's packages, the template evaluates the host itself. If they cannot,
//! they could reuse almost none of that evaluation. In that case, a child evaluates the host, and
//! the template only parses the files that the child read.

use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::{Context as _, Result};
use unix::sys::resource::{Resource, getrlimit, setrlimit};
use unix::sys::wait::waitpid;

use super::child::{ChildContext, ended, ended_on, evaluate_host, evaluate_job, own_memory};
use super::client::Client;
use super::forking::{Child, Forking};
use super::{Ask, EvaluationEnd, EvaluationJob, JobOutcome, TemplateMessage};
use crate::evaluation::{Evaluated, EvaluationRequest, Opened, SYSTEM, Target, read, text};
use nix_types::evaluated_file;

use crate::libnix::{
    Argument, Evaluator, Event, Expression, Libnix, Settings, compute_only, evaluation_stack,
    fork_child,
};
use crate::messages::{Greeting, send};
use crate::registry::Registered;
use crate::timings::{Counters, milliseconds};
use crate::worker::give_up_privileges;

/// The verbosity at which libnix reports which files it evaluates.
const VERBOSITY_WITH_FILES: u8 = 4;

/// Imports a file without using its value, so that its parsed form stays in memory.
const IMPORT: Expression = Expression {
    name: "import.nix",
    text: "_: _: file: builtins.seq (import file) null",
};

/// Runs the template. Its stdin is a socket to the client.
pub fn run() -> Result<()> {
    give_up_privileges()?;
    let socket = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .context("cannot use stdin")?;
    let mut client = Client {
        socket: UnixStream::from(socket),
        heard: Vec::new(),
    };
    send(&mut client.socket, &Greeting::ours())?;
    let Some(Ask::Open {
        settings,
        source,
        overrides,
    }) = client.wait()?
    else {
        return Ok(());
    };
    let asking = EvaluationRequest {
        overrides,
        ..EvaluationRequest::of(settings, *source, "", Target::Toplevel)
    };
    // The main thread's stack can grow up to the current limit, even if the limit was lower when the
    // process started.
    let (_, most) = getrlimit(Resource::RLIMIT_STACK).context("cannot read the stack limit")?;
    setrlimit(Resource::RLIMIT_STACK, evaluation_stack().min(most), most)
        .context("cannot raise the stack limit")?;
    compute_only();
    match serve(&mut client, &asking) {
        Ok(()) => Ok(()),
        Err(error) => client.say(&TemplateMessage::Failed {
            ended: Box::new(ended(&asking, Err(error))),
        }),
    }
}

/// Serves the client. `asking` is a request without a host and modules.
fn serve(client: &mut Client, asking: &EvaluationRequest) -> Result<()> {
    // Failing operations return their errors, so other messages from libnix are not needed.
    let files = Files::default();
    let settings = &Settings {
        verbosity: VERBOSITY_WITH_FILES,
        ..asking.settings.clone()
    };
    let libnix = Libnix::open(settings.clone(), files.listen())?;
    let evaluator = libnix.evaluator_here()?;
    let opened = Opened::open(&evaluator, &asking.source)?;
    let outputs = opened.outputs(&evaluator, asking, &[])?;
    let names = evaluator.apply(&SYSTEM, &outputs, &text(asking, false))?;
    client.say(&TemplateMessage::Opened {
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

    let asking = EvaluationRequest {
        settings: settings.clone(),
        host,
        ..asking.clone()
    };
    let mut context = ChildContext {
        libnix: &libnix,
        evaluator: &evaluator,
        outputs: &outputs,
        share: wanted,
    };
    let (registry, mut outcome) = match evaluate_base(&mut context, &asking, &files, bytes) {
        Ok(found) => found,
        Err(error) => {
            let ended = Box::new(ended_on(&context, &asking, Err(error)));
            return client.say(&TemplateMessage::Failed { ended });
        }
    };
    if matches!(outcome.ended, EvaluationEnd::Failed { .. }) {
        let ended = Box::new(outcome.ended);
        return client.say(&TemplateMessage::Failed { ended });
    }
    let counters = counted(&context)?;
    if context.share {
        outcome.counters = counters.clone();
    }
    let outcome = Box::new(outcome);
    client.say(&TemplateMessage::Ready { registry, outcome })?;
    fork_jobs(client, &context, &asking, counters)
}

/// Lists the modules of the host, and evaluates it. Children share the host's packages if the
/// client wants it and the host allows it.
fn evaluate_base(
    context: &mut ChildContext<'_>,
    asking: &EvaluationRequest,
    files: &Files,
    bytes: Option<u64>,
) -> Result<(Vec<Registered>, JobOutcome)> {
    let begun = Instant::now();
    let (registry, may_share) = registry(context, asking)?;
    context.share &= may_share;
    let outcome = match context.share {
        true => host_here(context, asking)?,
        false => host_apart(context, asking, files, bytes)?,
    };
    let milliseconds = milliseconds(begun.elapsed());
    Ok((
        registry,
        JobOutcome {
            milliseconds,
            ..outcome
        },
    ))
}

/// Forks a child for each job of the client until it disconnects.
fn fork_jobs(
    client: &mut Client,
    context: &ChildContext<'_>,
    asking: &EvaluationRequest,
    counters: Counters,
) -> Result<()> {
    let fork = |job: &EvaluationJob| {
        let asking = EvaluationRequest {
            modules: job.modules.clone(),
            ..asking.clone()
        };
        fork_child(&[], |pipe| evaluate_job(context, &asking, pipe))
    };
    Forking::new(counters).work(client, fork)
}

/// Returns the modules of the host, and whether children may use its packages.
fn registry(
    context: &ChildContext<'_>,
    asking: &EvaluationRequest,
) -> Result<(Vec<Registered>, bool)> {
    let asking = EvaluationRequest {
        target: Target::Registry,
        ..asking.clone()
    };
    let value = context
        .evaluator
        .apply(&SYSTEM, context.outputs, &text(&asking, false))?;
    let mut evaluated = Evaluated::default();
    read(&value, &asking, &mut evaluated, |_| ())?;
    Ok((evaluated.registry, value.get("mayShare")?))
}

/// Evaluates the host in this process, so that children can reuse the result.
fn host_here(context: &ChildContext<'_>, asking: &EvaluationRequest) -> Result<JobOutcome> {
    let value = context
        .evaluator
        .apply(&SYSTEM, context.outputs, &text(asking, false))?;
    let mut evaluated = Evaluated::default();
    read(&value, asking, &mut evaluated, |_| ())?;
    Ok(JobOutcome {
        bytes: own_memory("self"),
        ..JobOutcome::of(EvaluationEnd::Evaluated {
            evaluated: Box::new(evaluated),
        })
    })
}

/// Lets a child evaluate the host, then parses the files that it read. Only their syntax is useful
/// to other children.
fn host_apart(
    context: &ChildContext<'_>,
    asking: &EvaluationRequest,
    files: &Files,
    bytes: Option<u64>,
) -> Result<JobOutcome> {
    let before = counted(context)?;
    let forked = fork_child(&[], |pipe| {
        evaluate_host(context, asking, pipe, || files.take());
    })
    .context("cannot fork an evaluator")?;
    let mut outcome = Child::alone(forked, bytes).wait(&before)?;
    for file in std::mem::take(&mut outcome.files) {
        // If this fails, each child that needs the file reads it.
        let _ = import(context.evaluator, &file);
    }
    Ok(outcome)
}

fn import(evaluator: &Evaluator, file: &str) -> Result<()> {
    let value = evaluator.apply_to(&IMPORT, Argument::Nothing, file)?;
    Ok(value.force()?)
}

/// The files that libnix has evaluated.
#[derive(Clone, Default)]
struct Files(Arc<Mutex<Vec<String>>>);

impl Files {
    /// Returns a listener for libnix that records evaluated files.
    fn listen(&self) -> impl Fn(Event) + Send + Sync + 'static {
        let files = self.clone();
        move |event| {
            if let (Some(file), Ok(mut files)) = (evaluated_file(&event), files.0.lock()) {
                files.push(file.into());
            }
        }
    }

    /// Returns the files evaluated since the last call.
    fn take(&self) -> Vec<String> {
        self.0
            .lock()
            .map(|mut files| std::mem::take(&mut *files))
            .unwrap_or_default()
    }
}

/// Returns the counters so far. A child prints them, because libnix prints only to the file that an
/// environment variable names, and the output of the template goes to the client.
fn counted(context: &ChildContext<'_>) -> Result<Counters> {
    let mut child = fork_child(&[], |pipe| {
        if crate::libnix::print_to(&pipe).is_ok() {
            let _ = context.evaluator.print_counters();
        }
    })
    .context("cannot fork an evaluator")?;
    let mut text = String::new();
    child
        .output
        .read_to_string(&mut text)
        .context("cannot read the counters")?;
    waitpid(child.pid, None).context("cannot wait for a child")?;
    Ok(Counters::from_statistics(&text))
}
