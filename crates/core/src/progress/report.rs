//! The reports of stages and of libnix about their progress.

use std::sync::mpsc::Sender;
use std::time::Duration;

use crate::estimate::Estimate;
use crate::timings::Phase;
use nix_types::{Event, Missing};

/// The beginning of the log line that lists the watched units.
pub const WATCHING: &str = "watching ";

/// A report from a stage or from libnix.
#[derive(Clone, Debug)]
pub(super) enum Report {
    Begin(Phase),
    End(Phase, Duration),
    Libnix(Event),
    /// The warnings of the configuration.
    Warnings(Vec<String>),
    /// The progress curve of the last evaluation, to estimate the progress of this one.
    Estimate(Estimate),
    Missing(Missing),
    /// A line from the switch program.
    Switch(String),
    Note(String),
    /// The progress of a benchmark or a check, or `None` when the command has ended.
    Round(Option<TaskProgress>),
    /// A line of the result, sent as soon as it is available.
    Row(String),
    /// A request to clear the terminal, because another program will write to it.
    Pause(Sender<()>),
    Finish(Sender<()>),
}

/// The progress of a benchmark or a check.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskProgress {
    /// The name of the command: `bench` or `check`.
    pub what: &'static str,
    /// The name of the current task.
    pub name: String,
    /// The number of finished tasks.
    pub done: u64,
    /// The share of the work that is done, from 0 to 1.
    pub share: f64,
    /// The estimated remaining time.
    pub left: Option<Duration>,
}
