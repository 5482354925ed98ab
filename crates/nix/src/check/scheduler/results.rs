//! Handles messages from templates and evaluators: makes rows, adds jobs, or starts another
//! evaluator.

use anyhow::Result;

use super::{CheckTask, HostCheck, Scheduler, ShardedBy, Stage};
use crate::check::{CheckRow, CheckStatus, Combinations};
use crate::error::{CheckError, Failed};
use crate::pool::{EvaluationEnd, JobOutcome};
use crate::registry::Registered;
use crate::registry::unknown_modules;

impl Scheduler<'_> {
    /// Records the hosts, as the first template that opened the flake reports them.
    pub(super) fn opened(&mut self, index: usize, names: Vec<String>) {
        if self.hosts[index].name.is_some() {
            return;
        }
        // With at least as many hosts as shards, divide the hosts. Otherwise divide the
        // combinations of each host.
        let shard = self.work.shard.filter(|shard| names.len() >= shard.count);
        if shard.is_some() {
            self.sharded_by = ShardedBy::Hosts;
        }
        let mine =
            |position: usize| shard.is_none_or(|shard| position % shard.count == shard.index);
        let mut mine = names
            .iter()
            .enumerate()
            .filter(|(position, _)| mine(*position))
            .map(|(_, name)| name);
        self.hosts[index].name = mine.next().cloned();
        let rest: Vec<HostCheck> = mine
            .map(|name| HostCheck::new(Some(name.clone())))
            .collect();
        self.hosts.extend(rest);
    }

    /// Returns whether a combination of a host belongs to this shard. Combinations have the same
    /// numbers in every shard, even if some fail: the host alone, each module alone, all together,
    /// each pair.
    pub(super) fn is_mine(&self, index: usize, number: usize) -> bool {
        match self.work.shard {
            // Each host starts at a different shard, because it may have fewer combinations than
            // there are shards.
            Some(shard) if self.sharded_by == ShardedBy::Sets => {
                (index + number) % shard.count == shard.index
            }
            _ => true,
        }
    }

    /// Returns the pairs of this shard, whether or not their modules evaluate alone.
    pub(super) fn pairs(&self, index: usize) -> Vec<Vec<String>> {
        let all = &self.hosts[index].all;
        if self.work.combinations != Combinations::Pairs || all.len() < 3 {
            return Vec::new();
        }
        let pairs = all.iter().enumerate().flat_map(|(position, one)| {
            let others = all[position + 1..].iter();
            others.map(move |other| vec![one.clone(), other.clone()])
        });
        pairs
            .enumerate()
            .filter(|(number, _)| self.is_mine(index, all.len() + 2 + number))
            .map(|(_, pair)| pair)
            .collect()
    }

    /// Queues the modules that other shards check alone, without reporting them. Returns whether
    /// there were any.
    pub(super) fn learn(&mut self, index: usize) -> bool {
        let elsewhere = std::mem::take(&mut self.hosts[index].elsewhere);
        let any = !elsewhere.is_empty();
        for module in elsewhere {
            self.add(index, vec![module], true);
        }
        any
    }

    pub(super) fn ready(
        &mut self,
        index: usize,
        registry: &[Registered],
        outcome: JobOutcome,
        forked: bool,
    ) -> Result<Vec<CheckRow>> {
        let name = self.hosts[index].name.clone().unwrap_or_default();
        let EvaluationEnd::Evaluated { evaluated } = &outcome.ended else {
            return Ok(self.without_base(index, outcome.ended));
        };
        self.hosts[index].base = Some((**evaluated).clone());
        self.busy -= 1;
        let mut row = CheckRow::new(
            &name,
            &[],
            outcome,
            self.hosts[index].base.as_ref(),
            &self.work.tree,
        );
        row.forked = false;
        if !forked {
            self.drop_template(index);
        }
        let within = |module: &Registered| {
            let file = module.file.as_ref()?.strip_prefix(&self.work.tree)?;
            Some((
                module.name.clone(),
                file.trim_start_matches('/').to_string(),
            ))
        };
        self.hosts[index].files = registry.iter().filter_map(within).collect();
        self.choose_modules(index, registry)?;
        self.queue_modules(index);
        Ok(if self.is_mine(index, 0) {
            vec![row]
        } else {
            Vec::new()
        })
    }

    /// Sets the modules to check on a host: those that the user named, or all that do not opt out.
    fn choose_modules(&mut self, index: usize, registry: &[Registered]) -> Result<()> {
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
            // Check a module that the user named even if it opts out.
            if module.skip_validation && self.work.names.is_empty() {
                self.skipped += 1;
            } else {
                self.hosts[index].all.push(module.name.clone());
            }
        }
        Ok(())
    }

    /// Queues the checks of single modules that belong to this shard.
    fn queue_modules(&mut self, index: usize) {
        let all = self.hosts[index].all.clone();
        self.hosts[index].good.clone_from(&all);
        for (position, name) in all.into_iter().enumerate() {
            if self.is_mine(index, position + 1) {
                self.queue(index, vec![name]);
            } else {
                self.hosts[index].elsewhere.push(name);
            }
        }
    }

    pub(super) fn queue(&mut self, index: usize, modules: Vec<String>) {
        self.add(index, modules, false);
    }

    fn add(&mut self, index: usize, modules: Vec<String>, silent: bool) {
        self.hosts[index].queue.push_back(self.tasks.len());
        self.tasks.push(CheckTask {
            host: index,
            modules,
            silent,
            builds: false,
            done: false,
        });
    }

    /// Handles a template that could not open the flake or evaluate the host. If the template may
    /// have failed only because it cannot fetch or build, starts separate evaluators, which can.
    pub(super) fn not_ready(
        &mut self,
        index: usize,
        ended: EvaluationEnd,
    ) -> Result<Vec<CheckRow>> {
        match ended {
            // The flake cannot be opened at all, which is an error and not the result of a check.
            ended if self.hosts[index].name.is_none() => Err(unopened(ended).into()),
            EvaluationEnd::Failed {
                again: true,
                builds,
                ..
            } => {
                self.drop_template(index);
                let host = &mut self.hosts[index];
                host.fetched_first = !builds && host.templates == 1;
                self.host_alone(index);
                Ok(Vec::new())
            }
            ended => Ok(self.without_base(index, ended)),
        }
    }

    /// Reports a host that does not evaluate. Its modules cannot be checked.
    pub(super) fn without_base(&mut self, index: usize, ended: EvaluationEnd) -> Vec<CheckRow> {
        self.busy -= 1;
        self.drop_template(index);
        self.hosts[index].stage = Stage::Done;
        let outcome = JobOutcome::of(ended);
        let name = self.hosts[index].name.clone().unwrap_or_default();
        vec![CheckRow::new(&name, &[], outcome, None, &self.work.tree)]
    }

    pub(super) fn done(
        &mut self,
        index: usize,
        id: usize,
        outcome: JobOutcome,
        forked: bool,
    ) -> Vec<CheckRow> {
        if self.tasks[id].done {
            return Vec::new();
        }
        if let EvaluationEnd::Failed {
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
        self.hosts[index].running -= 1;
        let evaluates = matches!(outcome.ended, EvaluationEnd::Evaluated { .. });
        if !evaluates && self.tasks[id].modules.len() > 1 && self.learn(index) {
            // A module that belongs to another shard may fail alone. Then this is not a conflict,
            // so check those modules first.
            self.tasks[id].silent = true;
            self.hosts[index].stage = Stage::Alone;
            return Vec::new();
        }
        let host = &mut self.hosts[index];
        let task = &self.tasks[id];
        let name = host.name.clone().unwrap_or_default();
        let mut row = CheckRow::new(
            &name,
            &task.modules,
            outcome,
            host.base.as_ref(),
            &self.work.tree,
        );
        row.forked = forked;
        row.import_from_derivation |= task.builds;
        if let [module] = task.modules.as_slice() {
            row.declared = host.files.get(module).cloned();
        }
        if row.status != CheckStatus::Ok {
            if task.modules.len() > 1 {
                row.status = conflict(row.status);
            }
            host.good
                .retain(|good| *good != task.modules[0] || task.modules.len() > 1);
        }
        if task.silent { Vec::new() } else { vec![row] }
    }

    /// Handles the expected or unexpected end of a template.
    pub(super) fn gone(
        &mut self,
        index: usize,
        number: usize,
        ended: EvaluationEnd,
    ) -> Result<Vec<CheckRow>> {
        let host = &mut self.hosts[index];
        // Ignore exits of templates that we stopped ourselves, or that were replaced.
        if host.templates != number || host.template.take().is_none() {
            return Ok(Vec::new());
        }
        if host.stage == Stage::Starting {
            return self.not_ready(index, ended);
        }
        // Separate evaluators take over the unfinished jobs.
        let open: Vec<usize> = (0..self.tasks.len())
            .filter(|id| {
                self.tasks[*id].host == index
                    && !self.tasks[*id].done
                    && !self.hosts[index].queue.contains(id)
            })
            .collect();
        open.into_iter().for_each(|id| self.again(index, id));
        Ok(Vec::new())
    }
}

/// Makes the error for a flake that cannot be opened.
fn unopened(ended: EvaluationEnd) -> Failed {
    match ended {
        EvaluationEnd::Failed { failed, .. } => failed,
        EvaluationEnd::TimedOut => CheckError::OpeningTimedOut.into(),
        EvaluationEnd::TooLarge => CheckError::OpeningTooLarge.into(),
        EvaluationEnd::Died { why: reason } => CheckError::OpeningDied { reason }.into(),
        EvaluationEnd::Evaluated { .. } => {
            let reason = "the evaluator exited without a result".into();
            CheckError::OpeningDied { reason }.into()
        }
    }
}

/// Returns the status of a combination that fails although its modules evaluate alone.
fn conflict(status: CheckStatus) -> CheckStatus {
    match status {
        CheckStatus::Failed => CheckStatus::Conflict,
        other => other,
    }
}
