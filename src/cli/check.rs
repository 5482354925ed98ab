//! The command line of `check`. No logic.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::complete::modules;
use super::values::{percent, shard, size};
use crate::duration::parse_positive;

/// What `check` takes.
#[derive(Clone, Debug, Args)]
pub struct Check {
    /// Modules to check; all of them where none is named
    #[arg(value_name = "NAME", add = modules())]
    pub names: Vec<String>,
    /// Check every host of the flake
    #[arg(long, conflicts_with = "host")]
    pub all_hosts: bool,
    /// Which sets of modules to check, beside each alone
    #[arg(long, value_enum, default_value_t, value_name = "SETS")]
    pub combinations: CheckCombinations,
    /// Processes that evaluate at once; by default as many as processors and memory allow
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// Memory that one evaluation may have of its own, such as 1500M or 2G
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_memory: Option<u64>,
    /// Time that one evaluation may take, such as 30s
    #[arg(long, value_name = "DURATION", value_parser = parse_positive)]
    pub timeout: Option<Duration>,
    /// Check the Ith of N parts, for N machines
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub shard: Option<(usize, usize)>,
    /// Share no packages between the host and what extends it
    #[arg(long, hide = true)]
    pub unshared: bool,
    /// Build what evaluates, too
    #[arg(long)]
    pub build: bool,
    /// Check nothing where nothing that evaluation can see has changed since a revision or branch of the flake's git tree
    #[arg(long, value_name = "REV")]
    pub changed_since: Option<String>,
    /// How to print the results
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: CheckFormat,
    /// Compare with what `--format jsonl` printed before, and fail where a counter grew
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// By what percentage a counter may grow
    #[arg(
        long,
        value_name = "PERCENT",
        default_value_t = 5.0,
        value_parser = percent,
        requires = "baseline"
    )]
    pub tolerance: f64,
}

/// Sets of modules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CheckCombinations {
    /// All that evaluate alone, together
    #[default]
    Together,
    /// The same, and each two of them
    Pairs,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// A table that grows
    #[default]
    Table,
    /// A JSON document a line, while it works
    Jsonl,
    /// JUnit's XML
    Junit,
    /// GitHub's annotations, while it works
    Github,
    /// SARIF 2.1.0
    Sarif,
    /// A summary in Markdown
    Markdown,
    /// One JSON document, as with --json
    #[value(skip)]
    Json,
}
