//! The client's side: which template or evaluator gets which job, and what comes of it.
//!
//! A slot is one process that evaluates: a template while it evaluates its host, a forked child, or an evaluator of its own
//! for what no fork can do. No more slots are in use at once than there are workers.

use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::alone::alone;
use super::{Ask, Combinations, Ended, Job, Outcome, Row, Say, Sharing, Status, Summary, Work};
use crate::error::{Failed, Failure, describe};
use crate::evaluation::{Evaluated, ModuleRequest, Request, Target, unknown_modules};
use crate::interrupt::{Guard, Interrupts};
use crate::libnix::Settings;
use crate::registry::Registered;
use crate::timings::milliseconds;
use crate::worker::{EvaluatorProcess, EvaluatorStart, greet, receive, send};

/// What is told while it goes on.
pub enum Told {
    /// Something is checked.
    Row(Box<Row>),
    /// It is so far.
    Standing(Standing),
}

/// How far it is.
pub struct Standing {
    /// How much was checked.
    pub done: usize,
    /// How much there is to check, as far as is known.
    pub known: usize,
    /// How much of it is being evaluated.
    pub under_way: usize,
    /// The host that it is about.
    pub host: String,
}

/// Everything under way.
pub struct Pool<'a> {
    work: &'a Work,
    interrupts: &'a Interrupts,
    hosts: Vec<Host>,
    tasks: Vec<Task>,
    busy: usize,
    said: Receiver<(usize, Said)>,
    sayings: Sender<(usize, Said)>,
    skipped: usize,
}

/// What a host or a job has to say.
enum Said {
    Template(Say),
    /// The template has ended, and how.
    Gone(String),
    /// An evaluator of its own has found the modules there are, and evaluated the host.
    Host(Result<Vec<Registered>, Failed>, Box<Outcome>),
    /// An evaluator of its own has done a job.
    Again(usize, Box<Outcome>),
}

struct Task {
    host: usize,
    modules: Vec<String>,
    /// Whether evaluation wanted to build.
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

struct Host {
    name: Option<String>,
    stage: Stage,
    template: Option<Template>,
    base: Option<Evaluated>,
    queue: VecDeque<usize>,
    running: usize,
    /// Modules that evaluate alone, or were left to others.
    good: Vec<String>,
    /// How many sets there were so far, whoever checks them.
    counted: usize,
}

struct Template {
    requests: UnixStream,
    _guard: Guard,
}

impl<'a> Pool<'a> {
    /// Checks everything; says each row as it comes, and how far it is.
    pub fn run(
        work: &'a Work,
        interrupts: &'a Interrupts,
        mut tell: impl FnMut(Told),
    ) -> Result<Summary> {
        let begun = Instant::now();
        let (sayings, said) = channel();
        let mut pool = Self {
            work,
            interrupts,
            hosts: vec![Host::new(work.host.clone())],
            tasks: Vec::new(),
            busy: 0,
            said,
            sayings,
            skipped: 0,
        };
        let (mut checked, mut failed) = (0, 0);
        while pool.hosts.iter().any(|host| host.stage != Stage::Done) {
            pool.fill()?;
            tell(Told::Standing(pool.standing(checked)));
            let (host, said) = pool.said.recv().context("wait for an evaluation")?;
            interrupts.check()?;
            for row in pool.hear(host, said)? {
                checked += 1;
                failed += usize::from(row.is_bad());
                tell(Told::Row(Box::new(row)));
            }
            pool.advance();
        }
        Ok(Summary {
            hosts: pool.hosts.len(),
            checked,
            failed,
            skipped: pool.skipped,
            milliseconds: milliseconds(begun.elapsed()),
        })
    }

    /// How far it is: of each host itself and what is known of its modules so far.
    fn standing(&self, done: usize) -> Standing {
        let now = self.hosts.iter().find(|host| host.stage != Stage::Done);
        Standing {
            done,
            known: self.hosts.len() + self.tasks.len(),
            under_way: self.busy,
            host: now.and_then(|host| host.name.clone()).unwrap_or_default(),
        }
    }

    /// Gives every free slot something to do: what is ready first, so that a host ends before the next one begins.
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

    fn start(&mut self, index: usize) -> Result<()> {
        let process = EvaluatorProcess::start(&EvaluatorStart {
            initial_heap: self.work.memory.initial_heap(),
            template: true,
        })?;
        let stopper = process.stopper();
        let guard = self.interrupts.on_interrupt(move || stopper.stop());
        let mut requests = process.sender()?;
        let open = Ask::Open {
            settings: self.work.settings.clone(),
            flake: self.work.flake.clone(),
        };
        // Where it has ended already, that is heard below.
        let _ = send(&mut requests, &open);
        let sayings = self.sayings.clone();
        std::thread::spawn(move || listen(index, process, &sayings));
        let host = &mut self.hosts[index];
        host.stage = Stage::Starting;
        host.template = Some(Template {
            requests,
            _guard: guard,
        });
        Ok(())
    }

    fn begin(&mut self, index: usize, id: usize) -> Result<()> {
        let host = &mut self.hosts[index];
        host.running += 1;
        let job = Job {
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

    /// Has an evaluator of its own do a job.
    fn again(&self, index: usize, id: usize) {
        let request = self.request(index, &self.tasks[id].modules, Target::Toplevel);
        let (work, interrupts, sayings) = (
            self.work.clone(),
            self.interrupts.clone(),
            self.sayings.clone(),
        );
        std::thread::spawn(move || {
            let outcome = alone(&work, &request, &interrupts).1;
            let _ = sayings.send((index, Said::Again(id, Box::new(outcome))));
        });
    }

    fn request(&self, index: usize, modules: &[String], target: Target) -> Request {
        Request {
            settings: Settings {
                allow_import_from_derivation: true,
                ..self.work.settings.clone()
            },
            flake: self.work.flake.clone(),
            host: self.hosts[index].name.clone().unwrap_or_default(),
            modules: requests(modules),
            target,
            extras: Vec::new(),
            specialisation: None,
            measure: None,
        }
    }

    /// Has evaluators of their own look at a host that no template can evaluate.
    fn host_alone(&self, index: usize) {
        let registry = self.request(index, &[], Target::Registry);
        let toplevel = self.request(index, &[], Target::Toplevel);
        let (work, interrupts, sayings) = (
            self.work.clone(),
            self.interrupts.clone(),
            self.sayings.clone(),
        );
        std::thread::spawn(move || {
            let (evaluated, outcome) = alone(&work, &registry, &interrupts);
            let found =
                match (evaluated, outcome.ended) {
                    (Some(evaluated), _) => Ok(evaluated.registry),
                    (None, Ended::Failed { failed, .. }) => Err(failed),
                    (None, _) => Err(Failure::Evaluation
                        .error("list the modules: it took too much time or memory")),
                };
            let outcome = alone(&work, &toplevel, &interrupts).1;
            let _ = sayings.send((index, Said::Host(found, Box::new(outcome))));
        });
    }

    fn hear(&mut self, index: usize, said: Said) -> Result<Vec<Row>> {
        match said {
            Said::Template(Say::Opened { hosts }) => {
                self.opened(index, hosts);
                let name = self.hosts[index].name.clone().unwrap_or_default();
                if let Some(template) = &mut self.hosts[index].template {
                    let _ = send(
                        &mut template.requests,
                        &Ask::Base {
                            host: name,
                            share: self.work.share,
                        },
                    );
                }
                Ok(Vec::new())
            }
            Said::Template(Say::Ready { registry, outcome }) => {
                self.ready(index, &registry, *outcome, true)
            }
            Said::Template(Say::Failed { ended }) => self.not_ready(index, *ended),
            Said::Template(Say::Done { id, outcome }) => Ok(self.done(index, id, *outcome, true)),
            Said::Gone(why) => Ok(self.gone(index, &why)),
            Said::Host(Ok(registry), outcome) => self.ready(index, &registry, *outcome, false),
            Said::Host(Err(failed), _) => Ok(self.without_base(
                index,
                Ended::Failed {
                    failed,
                    position: None,
                    again: false,
                    builds: false,
                },
            )),
            Said::Again(id, outcome) => Ok(self.done(index, id, *outcome, false)),
        }
    }

    /// The first template that opens the flake says which hosts there are.
    fn opened(&mut self, index: usize, names: Vec<String>) {
        if self.hosts[index].name.is_some() {
            return;
        }
        let mine = |position: usize| match self.work.shard {
            // With fewer hosts than shards the modules of each are divided, else the hosts.
            Some(shard) if names.len() >= shard.count => position % shard.count == shard.index,
            _ => true,
        };
        let mut mine = names
            .iter()
            .enumerate()
            .filter(|(position, _)| mine(*position))
            .map(|(_, name)| name);
        self.hosts[index].name = mine.next().cloned();
        let rest: Vec<Host> = mine.map(|name| Host::new(Some(name.clone()))).collect();
        self.hosts.extend(rest);
    }

    /// Whether the next set of a host is this shard's.
    fn is_mine(&mut self, index: usize) -> bool {
        let number = self.hosts[index].counted;
        self.hosts[index].counted += 1;
        match self.work.shard {
            Some(shard) if self.work.host.is_some() || self.hosts.len() == 1 => {
                number % shard.count == shard.index
            }
            _ => true,
        }
    }

    fn ready(
        &mut self,
        index: usize,
        registry: &[Registered],
        outcome: Outcome,
        forked: bool,
    ) -> Result<Vec<Row>> {
        let name = self.hosts[index].name.clone().unwrap_or_default();
        let Ended::Evaluated { evaluated } = &outcome.ended else {
            return Ok(self.without_base(index, outcome.ended));
        };
        self.hosts[index].base = Some((**evaluated).clone());
        self.busy -= 1;
        let mut row = Row::new(
            &name,
            &[],
            outcome,
            self.hosts[index].base.as_ref(),
            &self.work.source,
        );
        row.forked = false;
        if !forked {
            self.drop_template(index);
        }
        let known: Vec<String> = registry.iter().map(|module| module.name.clone()).collect();
        let unknown: Vec<String> = self
            .work
            .names
            .iter()
            .filter(|name| !known.contains(name))
            .cloned()
            .collect();
        if !unknown.is_empty() {
            return Err(unknown_modules(&unknown, &known).into());
        }
        let wanted = |module: &&Registered| {
            self.work.names.is_empty() || self.work.names.contains(&module.name)
        };
        let chosen: Vec<&Registered> = registry.iter().filter(wanted).collect();
        self.hosts[index].stage = Stage::Alone;
        for module in chosen {
            // Who names a module wants to know.
            if module.skip_validation && self.work.names.is_empty() {
                self.skipped += 1;
            } else {
                self.hosts[index].good.push(module.name.clone());
                self.queue(index, vec![module.name.clone()]);
            }
        }
        let mine = row.status != Status::Ok
            || self
                .work
                .shard
                .is_none_or(|shard| shard.index == 0 || self.work.host.is_none());
        Ok(if mine { vec![row] } else { Vec::new() })
    }

    fn queue(&mut self, index: usize, modules: Vec<String>) {
        if self.is_mine(index) {
            self.hosts[index].queue.push_back(self.tasks.len());
            self.tasks.push(Task {
                host: index,
                modules,
                builds: false,
                done: false,
            });
        }
    }

    /// The template could not do it. What an evaluator that may build can, is tried by one.
    fn not_ready(&mut self, index: usize, ended: Ended) -> Result<Vec<Row>> {
        match ended {
            // Nothing of the flake could be opened: that is no result of a check.
            Ended::Failed { failed, .. } if self.hosts[index].name.is_none() => Err(failed.into()),
            Ended::Failed { again: true, .. } => {
                self.drop_template(index);
                self.host_alone(index);
                Ok(Vec::new())
            }
            ended => Ok(self.without_base(index, ended)),
        }
    }

    /// A host that does not evaluate: none of its modules can.
    fn without_base(&mut self, index: usize, ended: Ended) -> Vec<Row> {
        self.busy -= 1;
        self.drop_template(index);
        self.hosts[index].stage = Stage::Done;
        let outcome = Outcome::of(ended);
        let name = self.hosts[index].name.clone().unwrap_or_default();
        vec![Row::new(&name, &[], outcome, None, &self.work.source)]
    }

    fn done(&mut self, index: usize, id: usize, outcome: Outcome, forked: bool) -> Vec<Row> {
        if self.tasks[id].done {
            return Vec::new();
        }
        if let Ended::Failed {
            again: true,
            builds,
            ..
        } = &outcome.ended
            && forked
        {
            self.tasks[id].builds = *builds;
            self.again(index, id);
            return Vec::new();
        }
        self.busy -= 1;
        self.tasks[id].done = true;
        let host = &mut self.hosts[index];
        host.running -= 1;
        let task = &self.tasks[id];
        let name = host.name.clone().unwrap_or_default();
        let mut row = Row::new(
            &name,
            &task.modules,
            outcome,
            host.base.as_ref(),
            &self.work.source,
        );
        row.forked = forked;
        row.import_from_derivation |= task.builds;
        if row.status != Status::Ok {
            if task.modules.len() > 1 {
                row.status = conflict(row.status);
            }
            host.good
                .retain(|good| *good != task.modules[0] || task.modules.len() > 1);
        }
        vec![row]
    }

    /// A template that ended: at the end of its work, or in the middle of it.
    fn gone(&mut self, index: usize, why: &str) -> Vec<Row> {
        let host = &mut self.hosts[index];
        if host.template.take().is_none() {
            return Vec::new();
        }
        if host.stage == Stage::Starting {
            return self.without_base(index, Ended::Died { why: why.into() });
        }
        // What it had not done is done by evaluators of their own.
        let open: Vec<usize> = (0..self.tasks.len())
            .filter(|id| {
                self.tasks[*id].host == index
                    && !self.tasks[*id].done
                    && !self.hosts[index].queue.contains(id)
            })
            .collect();
        open.into_iter().for_each(|id| self.again(index, id));
        Vec::new()
    }

    /// Goes on to what is checked together where all that is alone is done, and lets a template go that is not needed.
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

    fn together(&mut self, index: usize) {
        self.hosts[index].stage = Stage::Together;
        let good = self.hosts[index].good.clone();
        if good.len() > 1 {
            self.queue(index, good.clone());
        }
        if self.work.combinations == Combinations::Pairs && good.len() > 2 {
            for (position, one) in good.iter().enumerate() {
                for other in &good[position + 1..] {
                    self.queue(index, vec![one.clone(), other.clone()]);
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
            // It may have ended by itself.
            let _ = template.requests.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Drop for Pool<'_> {
    fn drop(&mut self) {
        (0..self.hosts.len()).for_each(|index| self.drop_template(index));
    }
}

impl Host {
    fn new(name: Option<String>) -> Self {
        Self {
            name,
            stage: Stage::Waiting,
            template: None,
            base: None,
            queue: VecDeque::new(),
            running: 0,
            good: Vec::new(),
            counted: 0,
        }
    }
}

impl Outcome {
    pub(super) fn of(ended: Ended) -> Self {
        Self {
            ended,
            milliseconds: 0.0,
            bytes: 0,
            counters: crate::timings::Counters::default(),
            sharing: Sharing::default(),
            files: Vec::new(),
        }
    }
}

/// What fails together and not alone.
fn conflict(status: Status) -> Status {
    match status {
        Status::Failed => Status::Conflict,
        other => other,
    }
}

fn requests(names: &[String]) -> Vec<ModuleRequest> {
    let request = |name: &String| ModuleRequest {
        name: name.clone(),
        file: None,
        origin: None,
    };
    names.iter().map(request).collect()
}

/// Passes on what a template says, and how it ended.
fn listen(index: usize, mut process: EvaluatorProcess, sayings: &Sender<(usize, Said)>) {
    let mut hear = || -> Result<()> {
        if greet(&mut process.messages)?.is_none() {
            return Ok(());
        }
        while let Some(say) = receive::<Say>(&mut process.messages)? {
            if sayings.send((index, Said::Template(say))).is_err() {
                return Ok(());
            }
        }
        Ok(())
    };
    let heard = hear();
    let why = match (process.finish(), heard) {
        (Ok(ended), _) if ended.signal().is_some() => {
            let signal = ended
                .signal()
                .map(|signal| signal.to_string())
                .unwrap_or_default();
            format!("its evaluator died of {signal} {}", ended.stderr.trim())
        }
        (_, Err(error)) => describe(&error).message,
        (Ok(ended), Ok(())) => format!(
            "its evaluator ended without an answer {}",
            ended.stderr.trim()
        ),
        (Err(error), _) => describe(&error).message,
    };
    let _ = sayings.send((index, Said::Gone(why.trim().to_string())));
}
