//! The command line of `bench`, as it is typed. No logic.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::complete::{flakes, modules};
use crate::benchmarks::Preset;
use crate::duration::parse_positive;

/// What to measure.
#[derive(Clone, Debug, Subcommand)]
pub enum Bench {
    /// Evaluation: of the host by itself, with modules, and with each of them
    Eval(BenchNames),
    /// Turning modules on and off on this machine, each phase; needs rights, and brings everything back
    Toggle(BenchToggle),
    /// Single options, units, or any attribute of the flake
    Options(BenchOptions),
    /// An append-only record of overrides, by its length
    Overrides(BenchOverrides),
    /// Two flake references or revisions against each other
    Compare(BenchCompare),
    /// Two result files against each other
    Diff(BenchDiff),
}

/// How to measure, and where to put the result.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Measuring")]
pub struct Measuring {
    /// Measure so many times
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub runs: u64,

    /// Measure as often as fits into this time, such as 90s or 5m; warm-up and all
    #[arg(long, value_name = "DURATION", value_parser = parse_positive, conflicts_with = "runs")]
    pub budget: Option<Duration>,

    /// Rounds before those that count
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub warmup: u64,

    /// Write the whole result to this file (docs/bench.schema.json)
    #[arg(long, value_name = "FILE")]
    pub export_json: Option<PathBuf>,

    /// Write the table to this file
    #[arg(long, value_name = "FILE")]
    pub export_markdown: Option<PathBuf>,

    /// Write a line for each sample to this file
    #[arg(long, value_name = "FILE")]
    pub export_csv: Option<PathBuf>,

    /// Write the plot to this file
    #[arg(long, value_name = "FILE")]
    pub export_svg: Option<PathBuf>,

    /// Show no plot
    #[arg(long)]
    pub no_plot: bool,
}

/// What `bench eval` takes.
#[derive(Clone, Debug, Args)]
pub struct BenchNames {
    /// Modules by name; those that are wanted, if none is given
    #[arg(value_name = "NAME", add = modules())]
    pub names: Vec<String>,
    #[command(flatten)]
    pub measuring: Measuring,
}

/// What `bench toggle` takes.
#[derive(Clone, Debug, Args)]
pub struct BenchToggle {
    /// Modules by name: all on or all off
    #[arg(required = true, value_name = "NAME", add = modules())]
    pub names: Vec<String>,
    /// Take evaluations from the cache, as a toggle of every day does
    #[arg(long)]
    pub cached: bool,
    #[command(flatten)]
    pub measuring: Measuring,
}

/// What `bench options` takes.
#[derive(Clone, Debug, Args)]
pub struct BenchOptions {
    /// Options or units by their path, such as 'systemd.units."sshd.service".text'
    #[arg(value_name = "PATH", required_unless_present = "preset")]
    pub paths: Vec<String>,

    /// Measure a published table
    #[arg(long, value_enum, value_name = "TABLE", value_delimiter = ',')]
    pub preset: Vec<Preset>,

    /// Take the paths below this attribute of the flake in place of the host
    #[arg(long, value_name = "ATTRIBUTE")]
    pub of: Option<String>,

    /// Extend the host with these modules
    #[arg(long, value_name = "NAME", value_delimiter = ',', add = modules())]
    pub with: Vec<String>,

    /// Measure each path also without this attribute below it
    #[arg(long, value_name = "PATH")]
    pub without: Vec<String>,

    /// Force each value only so far that one can say what it is; otherwise deeply, as JSON
    #[arg(long)]
    pub shallow: bool,

    #[command(flatten)]
    pub measuring: Measuring,
}

/// What `bench overrides` takes.
#[derive(Clone, Debug, Args)]
pub struct BenchOverrides {
    /// The option that is overridden
    #[arg(value_name = "PATH", default_value = "networking.hostName")]
    pub path: String,

    /// What each definition sets it to, in JSON
    #[arg(long, value_name = "JSON", default_value = "\"overridden\"")]
    pub value: String,

    /// How many definitions there are
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [0, 100, 1_000, 10_000, 100_000, 1_000_000])]
    pub counts: Vec<u64>,

    /// Measure this option in place of the one that is overridden
    #[arg(long, value_name = "PATH")]
    pub force: Option<String>,

    /// Extend the host with these modules
    #[arg(long, value_name = "NAME", value_delimiter = ',', add = modules())]
    pub with: Vec<String>,

    #[command(flatten)]
    pub measuring: Measuring,
}

/// What `bench compare` takes.
#[derive(Clone, Debug, Args)]
pub struct BenchCompare {
    /// A flake reference, or a revision of the flake
    #[arg(value_name = "A", add = flakes())]
    pub first: String,

    /// Another one
    #[arg(value_name = "B", add = flakes())]
    pub second: String,

    /// Measure this option in place of the whole system
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,

    /// Extend the host with these modules
    #[arg(long, value_name = "NAME", value_delimiter = ',', add = modules())]
    pub with: Vec<String>,

    #[command(flatten)]
    pub measuring: Measuring,
}

/// What `bench diff` takes.
#[derive(Clone, Debug, Args)]
pub struct BenchDiff {
    /// A file that --export-json wrote
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// Another one, of the same benchmark
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
}
