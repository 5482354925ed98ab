//! Long runs that inject random faults on several machines in parallel, one at a time on each.

use std::any::Any;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard};
use std::thread;

use serde_json::{Value, json};

use super::{Evidence, Lab};

/// The number of attempts between two writes of the evidence. An interrupted run keeps the results
/// of the last write.
const OFTEN: usize = 50;

/// The result of an attempt: one key to count in each table, or nothing if the attempt does not count.
pub type Counted = Option<Vec<(&'static str, String)>>;

/// The results of a long run.
#[derive(Default)]
struct AttemptTally {
    /// The number of attempts started.
    begun: u64,
    done: usize,
    tables: BTreeMap<&'static str, BTreeMap<String, usize>>,
    wrong: Vec<String>,
}

/// Calls `attempt` on several machines in parallel until `runs` attempts have returned keys or failed. Each call gets
/// the number of the attempt and a random generator seeded with it. Writes the tables, the failures and the number of
/// counted attempts (under the key `what`) as evidence. Panics if any attempt failed.
pub fn attempt_at_random(
    evidence: &Evidence,
    what: &'static str,
    runs: usize,
    attempt: impl Fn(&mut Lab, u64, PseudoRandom) -> Counted + Sync,
) {
    let tally = Mutex::new(AttemptTally::default());
    // Two for each CPU, because a machine is idle for more than half of the time.
    let machines = 2 * thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..machines {
            scope.spawn(|| on_one_machine(evidence, what, runs, &attempt, &tally));
        }
    });
    let wrong = tally.into_inner().expect("the tally").wrong;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn on_one_machine(
    evidence: &Evidence,
    what: &'static str,
    runs: usize,
    attempt: &(impl Fn(&mut Lab, u64, PseudoRandom) -> Counted + Sync),
    tally: &Mutex<AttemptTally>,
) {
    let locked = || -> MutexGuard<'_, AttemptTally> { tally.lock().expect("the tally") };
    let mut lab = Lab::new();
    while locked().done < runs {
        let number = locked().next();
        let random = PseudoRandom::of(number);
        // After a failed attempt, continue with a new machine.
        let ended = catch_unwind(AssertUnwindSafe(|| attempt(&mut lab, number, random)));
        if ended.is_err() {
            lab = Lab::new();
        }
        let mut tally = locked();
        if tally.done == runs {
            return;
        }
        match ended {
            Ok(None) => continue,
            Ok(Some(keys)) => keys.into_iter().for_each(|(table, key)| {
                *tally
                    .tables
                    .entry(table)
                    .or_default()
                    .entry(key)
                    .or_default() += 1;
            }),
            Err(why) => tally.wrong.push(panic_message(why.as_ref())),
        }
        tally.done += 1;
        if tally.done == runs || tally.done.is_multiple_of(OFTEN) {
            evidence.write(&tally.summary(what));
        }
    }
}

impl AttemptTally {
    fn next(&mut self) -> u64 {
        self.begun += 1;
        self.begun
    }

    fn summary(&self, what: &str) -> Value {
        let mut summary = json!({
            what: self.done,
            "attempts": self.begun,
            "inconsistent": self.wrong.len(),
            "wrong": self.wrong,
        });
        for (table, counts) in &self.tables {
            summary[*table] = json!(counts);
        }
        summary
    }
}

/// Returns the message of a panic.
fn panic_message(why: &(dyn Any + Send)) -> String {
    let text = why.downcast_ref::<String>().cloned();
    text.unwrap_or_else(|| "a panic without a message".into())
}

/// Pseudo-random numbers, the same in every run (xorshift64*).
pub struct PseudoRandom(u64);

impl PseudoRandom {
    /// Returns the random numbers of one attempt.
    pub fn of(attempt: u64) -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ attempt.wrapping_mul(0xd134_2543_de82_ef95))
    }

    /// Returns the next number, which is below `many`.
    pub fn below(&mut self, many: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).expect("31 bits") % many
    }
}
