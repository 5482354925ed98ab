//! The client's side: which template or evaluator gets which job, and what comes of it.
//!
//! A slot is one process that evaluates: a template while it evaluates its host, a forked child, or an evaluator of its own
//! for what no fork can do. No more slots are in use at once than there are workers. Here is the loop; `pool/starting.rs` starts what
//! evaluates, and `pool/hearing.rs` says what follows from what that says.

use std::collections::{BTreeMap, VecDeque};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::{Ended, Outcome, Row, Say, Summary, Work};
use crate::error::Failed;
use crate::evaluation::Evaluated;
use crate::interrupt::{Guard, Interrupts};
use crate::registry::Registered;
use crate::timings::milliseconds;

mod hearing;
mod starting;

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
    divided: Divided,
    tasks: Vec<Task>,
    busy: usize,
    said: Receiver<(usize, Said)>,
    sayings: Sender<(usize, Said)>,
    skipped: usize,
}

/// What a host or a job has to say.
enum Said {
    Template(Say),
    /// The host's template of this number has ended, and how.
    Gone(usize, Ended),
    /// An evaluator of its own has found the modules there are, and evaluated the host.
    Host(Result<Vec<Registered>, Failed>, Box<Outcome>),
    /// An evaluator of its own has done a job.
    Again(usize, Box<Outcome>),
}

/// What shards divide among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Divided {
    /// Whole hosts, of which those of other shards are not looked at.
    Hosts,
    /// What is checked of each host.
    Sets,
}

struct Task {
    host: usize,
    modules: Vec<String>,
    /// Whether another shard says what comes of it.
    silent: bool,
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
    /// How many templates it has had.
    templates: usize,
    /// Whether it gets another one once an evaluator of its own has fetched what the first could not.
    fetched_first: bool,
    base: Option<Evaluated>,
    /// The files that modules lie in, from the top of the flake's tree.
    files: BTreeMap<String, String>,
    queue: VecDeque<usize>,
    running: usize,
    /// All modules that are to be checked, by which sets are numbered, whoever checks them.
    all: Vec<String>,
    /// Of them, those that no evaluation of theirs alone has failed so far.
    good: Vec<String>,
    /// Of them, those that another shard evaluates alone.
    elsewhere: Vec<String>,
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
            divided: Divided::Sets,
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
            known: self.hosts.len() + self.tasks.iter().filter(|task| !task.silent).count(),
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

    fn hear(&mut self, index: usize, said: Said) -> Result<Vec<Row>> {
        match said {
            Said::Template(Say::Opened { hosts }) => {
                if self.hosts[index].name.is_none() {
                    self.opened(index, hosts);
                    self.ask_base(index);
                }
                Ok(Vec::new())
            }
            Said::Template(Say::Ready { registry, outcome }) => {
                self.ready(index, &registry, *outcome, true)
            }
            Said::Template(Say::Failed { ended }) => self.not_ready(index, *ended),
            Said::Template(Say::Done { id, outcome }) => Ok(self.done(index, id, *outcome, true)),
            Said::Gone(number, ended) => self.gone(index, number, ended),
            Said::Host(Ok(_), outcome)
                if matches!(outcome.ended, Ended::Evaluated { .. })
                    && std::mem::take(&mut self.hosts[index].fetched_first) =>
            {
                self.start(index)?;
                Ok(Vec::new())
            }
            Said::Host(Ok(registry), outcome) => self.ready(index, &registry, *outcome, false),
            Said::Host(Err(failed), _) => Ok(self.without_base(
                index,
                Ended::Failed {
                    places: failed.places.clone(),
                    failed,
                    again: false,
                    builds: false,
                },
            )),
            Said::Again(id, outcome) => Ok(self.done(index, id, *outcome, false)),
        }
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

    /// Queues what evaluates alone, together and by twos. Which modules those are matters to each pair, and all together only
    /// where that fails: so what other shards evaluate alone is evaluated here too before pairs are, and else not yet.
    fn together(&mut self, index: usize) {
        let pairs = self.pairs(index);
        if !pairs.is_empty() && self.learn(index) {
            return;
        }
        self.hosts[index].stage = Stage::Together;
        let Host { all, good, .. } = &self.hosts[index];
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
