//! The client side of a check: assigns jobs to templates and evaluators, and collects the outcomes.
//!
//! A slot is one evaluating process: a template while it evaluates its host, a forked child, or a
//! separate evaluator for work that a fork cannot do. The number of used slots never exceeds the
//! number of workers. The first template opens the store before any other evaluator starts, as
//! ARCHITECTURE.md (Roles) explains. This file contains the main loop. `scheduler/starting.rs`
//! starts processes, and `scheduler/results.rs` handles their messages.

use std::collections::{BTreeMap, VecDeque};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::{CheckRow, CheckSummary, CheckWork};
use crate::error::Failed;
use crate::evaluation::Evaluated;
use crate::interrupt::{ActionGuard, Interrupts};
use crate::pool::{EvaluationEnd, JobOutcome, TemplateMessage};
use crate::registry::Registered;
use crate::timings::milliseconds;

mod results;
mod starting;

/// An event during a check.
pub enum CheckEvent {
    /// A combination was checked.
    Row(Box<CheckRow>),
    /// There is new progress.
    CheckProgress(CheckProgress),
}

/// The progress of a check.
pub struct CheckProgress {
    /// Number of checked combinations.
    pub done: usize,
    /// Number of combinations known so far.
    pub known: usize,
    /// Number of running evaluations.
    pub under_way: usize,
    /// The current host.
    pub host: String,
}

/// The state of a check.
pub struct Scheduler<'a> {
    work: &'a CheckWork,
    interrupts: &'a Interrupts,
    hosts: Vec<HostCheck>,
    sharded_by: ShardedBy,
    tasks: Vec<CheckTask>,
    busy: usize,
    messages: Receiver<(usize, SchedulerMessage)>,
    sender: Sender<(usize, SchedulerMessage)>,
    skipped: usize,
}

/// A message about a host or a job.
enum SchedulerMessage {
    Template(TemplateMessage),
    /// A template of the host has ended. The number identifies the template.
    Gone(usize, EvaluationEnd),
    /// A separate evaluator has tried to list the modules, and another one to evaluate the host.
    Host(Result<Vec<Registered>, Failed>, Box<JobOutcome>),
    /// A separate evaluator has finished a job.
    Again(usize, Box<JobOutcome>),
}

/// The division of the work into shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ShardedBy {
    /// By host. A shard ignores the hosts of other shards.
    Hosts,
    /// By combination. The combinations of each host are divided among the shards.
    Sets,
}

struct CheckTask {
    host: usize,
    modules: Vec<String>,
    /// Whether the task gives no row here, because another shard reports it.
    silent: bool,
    /// Whether evaluation needed a build.
    builds: bool,
    done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Starting,
    Alone,
    Together,
    Done,
}

struct HostCheck {
    name: Option<String>,
    stage: Stage,
    template: Option<Template>,
    /// Number of templates started for this host so far.
    templates: usize,
    /// Whether to start another template after a separate evaluator has fetched missing inputs.
    fetched_first: bool,
    base: Option<Evaluated>,
    /// The file of each module, by the module's name, relative to the root of the source tree.
    files: BTreeMap<String, String>,
    queue: VecDeque<usize>,
    running: usize,
    /// All modules to check, in all shards. Their order determines the numbers of combinations.
    all: Vec<String>,
    /// Modules that have not failed alone.
    good: Vec<String>,
    /// Modules that another shard checks alone.
    elsewhere: Vec<String>,
}

struct Template {
    requests: UnixStream,
    _guard: ActionGuard,
}

impl<'a> Scheduler<'a> {
    /// Checks everything. Reports rows and progress through `tell`.
    pub fn run(
        work: &'a CheckWork,
        interrupts: &'a Interrupts,
        mut tell: impl FnMut(CheckEvent),
    ) -> Result<CheckSummary> {
        let begun = Instant::now();
        let (sender, messages) = channel();
        let mut scheduler = Self {
            work,
            interrupts,
            hosts: vec![HostCheck::new(work.host.clone())],
            sharded_by: ShardedBy::Sets,
            tasks: Vec::new(),
            busy: 0,
            messages,
            sender,
            skipped: 0,
        };
        let (mut checked, mut failed) = (0, 0);
        while scheduler.hosts.iter().any(|host| host.stage != Stage::Done) {
            scheduler.fill()?;
            tell(CheckEvent::CheckProgress(scheduler.standing(checked)));
            let (host, messages) = scheduler
                .messages
                .recv()
                .context("cannot wait for an evaluation")?;
            interrupts.check()?;
            for row in scheduler.handle(host, messages)? {
                checked += 1;
                failed += usize::from(row.is_bad());
                tell(CheckEvent::Row(Box::new(row)));
            }
            scheduler.advance();
        }
        Ok(CheckSummary {
            hosts: scheduler.hosts.len(),
            checked,
            failed,
            skipped: scheduler.skipped,
            milliseconds: milliseconds(begun.elapsed()),
        })
    }

    /// Computes the progress. Each host counts as one combination. The known combinations of its
    /// modules are added.
    fn standing(&self, done: usize) -> CheckProgress {
        let now = self.hosts.iter().find(|host| host.stage != Stage::Done);
        CheckProgress {
            done,
            known: self.hosts.len() + self.tasks.iter().filter(|task| !task.silent).count(),
            under_way: self.busy,
            host: now.and_then(|host| host.name.clone()).unwrap_or_default(),
        }
    }

    /// Gives a job to every free slot. A new host begins only when no job of an earlier host is
    /// queued.
    fn fill(&mut self) -> Result<()> {
        while self.busy < self.work.limits.workers {
            if let Some(host) = self.hosts.iter().position(|host| !host.queue.is_empty()) {
                let Some(id) = self.hosts[host].queue.pop_front() else {
                    continue;
                };
                self.begin(host, id)?;
            } else if let Some(host) = self
                .hosts
                .iter()
                .position(|host| host.stage == Stage::Waiting)
            {
                self.start(host)?;
            } else {
                return Ok(());
            }
            self.busy += 1;
        }
        Ok(())
    }

    fn handle(&mut self, index: usize, messages: SchedulerMessage) -> Result<Vec<CheckRow>> {
        match messages {
            SchedulerMessage::Template(TemplateMessage::Opened { hosts }) => {
                if self.hosts[index].name.is_none() {
                    self.opened(index, hosts);
                    self.ask_base(index);
                }
                Ok(Vec::new())
            }
            SchedulerMessage::Template(TemplateMessage::Ready { registry, outcome }) => {
                self.ready(index, &registry, *outcome, true)
            }
            SchedulerMessage::Template(TemplateMessage::Failed { ended }) => {
                self.not_ready(index, *ended)
            }
            SchedulerMessage::Template(TemplateMessage::Done { id, outcome }) => {
                Ok(self.done(index, id, *outcome, true))
            }
            SchedulerMessage::Gone(number, ended) => self.gone(index, number, ended),
            SchedulerMessage::Host(Ok(_), outcome)
                if matches!(outcome.ended, EvaluationEnd::Evaluated { .. })
                    && std::mem::take(&mut self.hosts[index].fetched_first) =>
            {
                self.start(index)?;
                Ok(Vec::new())
            }
            SchedulerMessage::Host(Ok(registry), outcome) => {
                self.ready(index, &registry, *outcome, false)
            }
            SchedulerMessage::Host(Err(failed), _) => Ok(self.without_base(
                index,
                EvaluationEnd::Failed {
                    places: failed.places.clone(),
                    failed,
                    again: false,
                    builds: false,
                },
            )),
            SchedulerMessage::Again(id, outcome) => Ok(self.done(index, id, *outcome, false)),
        }
    }

    /// Moves each host without unfinished jobs to its next stage. After the single modules, queues
    /// their combinations. After the combinations, drops the template.
    fn advance(&mut self) {
        for index in 0..self.hosts.len() {
            let host = &self.hosts[index];
            if host.running > 0 || !host.queue.is_empty() {
                continue;
            }
            match host.stage {
                Stage::Alone => self.together(index),
                Stage::Together => {
                    self.hosts[index].stage = Stage::Done;
                    self.drop_template(index);
                }
                _ => {}
            }
        }
    }

    /// Queues the combination of all modules, and the pairs. A pair is checked only if both of its
    /// modules evaluate alone, so modules of other shards must be evaluated here first. The
    /// combination of all modules needs these evaluations only if it fails, so they are delayed
    /// until then.
    fn together(&mut self, index: usize) {
        let pairs = self.pairs(index);
        if !pairs.is_empty() && self.learn(index) {
            return;
        }
        self.hosts[index].stage = Stage::Together;
        let HostCheck { all, good, .. } = &self.hosts[index];
        let good = good.clone();
        if good.len() > 1 && self.is_mine(index, all.len() + 1) {
            self.queue(index, good.clone());
        }
        if good.len() > 2 {
            for pair in pairs {
                if pair.iter().all(|name| good.contains(name)) {
                    self.queue(index, pair);
                }
            }
        }
        if self.hosts[index].queue.is_empty() {
            self.hosts[index].stage = Stage::Done;
            self.drop_template(index);
        }
    }

    fn drop_template(&mut self, index: usize) {
        if let Some(template) = self.hosts[index].template.take() {
            // The template may have exited already.
            let _ = template.requests.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Drop for Scheduler<'_> {
    fn drop(&mut self) {
        (0..self.hosts.len()).for_each(|index| self.drop_template(index));
    }
}

impl HostCheck {
    fn new(name: Option<String>) -> Self {
        Self {
            name,
            stage: Stage::Waiting,
            template: None,
            templates: 0,
            fetched_first: false,
            base: None,
            files: BTreeMap::new(),
            queue: VecDeque::new(),
            running: 0,
            all: Vec::new(),
            good: Vec::new(),
            elsewhere: Vec::new(),
        }
    }
}
