//! Starts templates, their jobs, and separate evaluators. Each reports its outcome to the
//! scheduler.

use std::sync::mpsc::{Sender, channel};

use anyhow::Result;

use super::{Scheduler, SchedulerMessage, Stage, Template};
use crate::check::Limits;
use crate::check::separate::{alone, watch};
use crate::error::{CheckError, describe};
use crate::evaluation::{EvaluationRequest, Target};
use crate::libnix::Settings;
use crate::messages::{greet, receive, send};
use crate::pool::{Ask, EvaluationEnd, EvaluationJob, TemplateMessage};
use crate::registry::ModuleRequest;
use crate::worker::{self, EvaluatorProcess, EvaluatorStart};

impl Scheduler<'_> {
    pub(super) fn start(&mut self, index: usize) -> Result<()> {
        let mut process = EvaluatorProcess::start(&EvaluatorStart {
            initial_heap: self.work.memory.initial_heap(),
            template: true,
        })?;
        let stopper = process.stopper();
        let guard = self.interrupts.on_interrupt(move || stopper.stop());
        let mut requests = process.sender()?;
        let open = Ask::Open {
            settings: self.work.settings.clone(),
            source: Box::new(self.work.source.clone()),
            overrides: self.work.overrides.clone(),
        };
        // If the template has already ended, the listener below notices it.
        let _ = send(&mut requests, &open);
        let limits = Limits {
            bytes: self.work.limits.host_bytes,
            ..self.work.limits
        };
        let (goes_on, watched) = channel();
        let watch = std::thread::spawn(move || watch(stopper, limits, &watched).0);
        let host = &mut self.hosts[index];
        host.stage = Stage::Starting;
        host.templates += 1;
        host.template = Some(Template {
            requests,
            _guard: guard,
        });
        let (sender, number) = (self.sender.clone(), host.templates);
        std::thread::spawn(move || {
            let why = listen(index, &mut process, goes_on, &sender);
            let ended = match (watch.join(), process.finish()) {
                (Ok(Some(ended)), _) => ended,
                (_, finished) => EvaluationEnd::Died {
                    why: how(finished, why),
                },
            };
            let _ = sender.send((index, SchedulerMessage::Gone(number, ended)));
        });
        if self.hosts[index].name.is_some() {
            self.ask_base(index);
        }
        Ok(())
    }

    /// Asks a template that has opened the flake to evaluate its host.
    pub(super) fn ask_base(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        let ask = Ask::Base {
            host: host.name.clone().unwrap_or_default(),
            share: self.work.share,
            bytes: self.work.limits.host_bytes,
        };
        if let Some(template) = &mut host.template {
            let _ = send(&mut template.requests, &ask);
        }
    }

    pub(super) fn begin(&mut self, index: usize, id: usize) -> Result<()> {
        let host = &mut self.hosts[index];
        host.running += 1;
        let job = EvaluationJob {
            id,
            modules: requests(&self.tasks[id].modules),
            seconds: self.work.limits.seconds,
            bytes: self.work.limits.bytes,
        };
        match &mut host.template {
            Some(template) => {
                let _ = send(&mut template.requests, &Ask::Evaluate(job));
            }
            None => self.again(index, id),
        }
        Ok(())
    }

    /// Gives a job to a separate evaluator.
    pub(super) fn again(&self, index: usize, id: usize) {
        let request = self.request(index, &self.tasks[id].modules, Target::Toplevel);
        let (work, interrupts, sender) = (
            self.work.clone(),
            self.interrupts.clone(),
            self.sender.clone(),
        );
        std::thread::spawn(move || {
            let outcome = alone(&work, &request, &interrupts).1;
            let _ = sender.send((index, SchedulerMessage::Again(id, Box::new(outcome))));
        });
    }

    fn request(&self, index: usize, modules: &[String], target: Target) -> EvaluationRequest {
        let settings = Settings {
            allow_import_from_derivation: true,
            ..self.work.settings.clone()
        };
        let host = self.hosts[index].name.as_deref().unwrap_or_default();
        EvaluationRequest {
            modules: requests(modules),
            overrides: self.work.overrides.clone(),
            ..EvaluationRequest::of(settings, self.work.source.clone(), host, target)
        }
    }

    /// Lists the modules of a host and evaluates the host in separate evaluators, because its
    /// template could not.
    pub(super) fn host_alone(&self, index: usize) {
        let registry = self.request(index, &[], Target::Registry);
        let toplevel = self.request(index, &[], Target::Toplevel);
        let (work, interrupts, sender) = (
            self.work.clone(),
            self.interrupts.clone(),
            self.sender.clone(),
        );
        std::thread::spawn(move || {
            let (evaluated, outcome) = alone(&work, &registry, &interrupts);
            let found = match (evaluated, outcome.ended) {
                (Some(evaluated), _) => Ok(evaluated.registry),
                (None, EvaluationEnd::Failed { failed, .. }) => Err(failed),
                (None, _) => Err(CheckError::ModulesNotListed.into()),
            };
            let outcome = alone(&work, &toplevel, &interrupts).1;
            let _ = sender.send((index, SchedulerMessage::Host(found, Box::new(outcome))));
        });
    }
}

fn requests(names: &[String]) -> Vec<ModuleRequest> {
    names
        .iter()
        .map(|name| ModuleRequest::named(name))
        .collect()
}

/// Forwards the messages of a template until it exits. Tells the watcher when the template makes
/// progress or is ready.
fn listen(
    index: usize,
    process: &mut EvaluatorProcess,
    goes_on: Sender<()>,
    sender: &Sender<(usize, SchedulerMessage)>,
) -> Result<()> {
    let mut watched = Some(goes_on);
    if greet(&mut process.messages)?.is_none() {
        return Ok(());
    }
    while let Some(say) = receive::<TemplateMessage>(&mut process.messages)? {
        match (&say, &watched) {
            (TemplateMessage::Opened { .. }, Some(goes_on)) => {
                // The watcher may have just stopped the template.
                let _ = goes_on.send(());
            }
            _ => watched = None,
        }
        if sender
            .send((index, SchedulerMessage::Template(say)))
            .is_err()
        {
            return Ok(());
        }
    }
    Ok(())
}

/// Describes the end of a template.
fn how(finished: Result<worker::EvaluatorExit>, heard: Result<()>) -> String {
    let why = match (finished, heard) {
        (Ok(ended), _) if ended.signal().is_some() => {
            let signal = ended
                .signal()
                .map(|signal| signal.to_string())
                .unwrap_or_default();
            format!(
                "the evaluator was killed by {signal} {}",
                ended.stderr.trim()
            )
        }
        (_, Err(error)) => describe(&error).message,
        (Ok(ended), Ok(())) => format!(
            "the evaluator exited without a result {}",
            ended.stderr.trim()
        ),
        (Err(error), _) => describe(&error).message,
    };
    why.trim().to_string()
}
