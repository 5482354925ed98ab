//! The command line of `check` as clap's types, without any logic.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::complete::modules;
use super::values::{percent, shard, size};
use crate::choice::{CheckCombinations, CheckFormat};
use crate::duration::parse_positive;

/// Arguments of `check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// Names of modules [default: all modules]
    #[arg(value_name = "NAME", add = modules())]
    pub names: Vec<String>,
    /// Check every host of the flake
    #[arg(long, conflicts_with = "host")]
    pub all_hosts: bool,
    /// Check these combinations in addition to each module alone
    #[arg(long, value_enum, default_value_t, value_name = "SETS")]
    pub combinations: CheckCombinations,
    /// Check with the option overrides in force
    #[arg(long, conflicts_with = "all_hosts")]
    pub overrides: bool,
    /// Number of parallel evaluators [default: from CPUs and memory]
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// Limit the unshared memory of an evaluation, such as 1500M or 2G
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_memory: Option<u64>,
    /// Limit each evaluation to this time, such as 30s
    #[arg(long, value_name = "DURATION", value_parser = parse_positive)]
    pub timeout: Option<Duration>,
    /// Check part I of N, to divide the work among N machines
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub shard: Option<(usize, usize)>,
    /// Do not share packages between the host and its extensions
    #[arg(long, hide = true)]
    pub unshared: bool,
    /// Also build everything that evaluates
    #[arg(long)]
    pub build: bool,
    /// Skip the check if the flake is unchanged since this commit or branch
    #[arg(long, value_name = "REV")]
    pub changed_since: Option<String>,
    /// Print the results in this format
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: CheckFormat,
    /// Compare with earlier jsonl output, and fail if a counter grew
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Allow counters to grow by this percentage
    #[arg(
        long,
        value_name = "PERCENT",
        default_value_t = 5.0,
        value_parser = percent,
        requires = "baseline"
    )]
    pub tolerance: f64,
}
