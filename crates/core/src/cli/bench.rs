//! The command line of `bench` as clap's types, without any logic.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::complete::{flakes, modules};
use crate::choice::Preset;
use crate::duration::parse_positive;

/// The subcommand of `bench`.
#[derive(Clone, Debug, Subcommand)]
pub enum BenchArgs {
    /// Measure the evaluation of the host alone and with modules
    Eval(EvalArgs),
    /// Measure each phase of a toggle, then restore the system (needs root)
    Toggle(ToggleArgs),
    /// Measure individual options, units or any attribute of the flake
    Options(OptionsArgs),
    /// Measure the cost of option overrides as their number grows
    Overrides(OverridesBenchArgs),
    /// Compare two flake references or commits
    Compare(CompareArgs),
    /// Compare two result files
    Diff(DiffArgs),
}

/// The settings of a measurement, and the files for its result.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Measuring")]
pub struct MeasuringArgs {
    /// Measure this many times
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub runs: u64,

    /// Measure for at most this time, including warm-up, such as 90s or 5m
    #[arg(long, value_name = "DURATION", value_parser = parse_positive, conflicts_with = "runs")]
    pub budget: Option<Duration>,

    /// Run this many warm-up rounds first
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub warmup: u64,

    /// Write the complete result to this file (docs/bench.schema.json)
    #[arg(long, value_name = "FILE")]
    pub export_json: Option<PathBuf>,

    /// Write the table to this file
    #[arg(long, value_name = "FILE")]
    pub export_markdown: Option<PathBuf>,

    /// Write one line for each sample to this file
    #[arg(long, value_name = "FILE")]
    pub export_csv: Option<PathBuf>,

    /// Write the plot to this file
    #[arg(long, value_name = "FILE")]
    pub export_svg: Option<PathBuf>,

    /// Do not show a plot
    #[arg(long)]
    pub no_plot: bool,
}

/// Arguments of `bench eval`.
#[derive(Clone, Debug, Args)]
pub struct EvalArgs {
    /// Names of modules [default: the requested modules]
    #[arg(value_name = "NAME", add = modules())]
    pub names: Vec<String>,
    #[command(flatten)]
    pub measuring: MeasuringArgs,
}

/// Arguments of `bench toggle`.
#[derive(Clone, Debug, Args)]
pub struct ToggleArgs {
    /// Names of modules, all enabled or all disabled
    #[arg(required = true, value_name = "NAME", add = modules())]
    pub names: Vec<String>,
    /// Use cached evaluations, as a normal toggle does
    #[arg(long)]
    pub cached: bool,
    #[command(flatten)]
    pub measuring: MeasuringArgs,
}

/// Arguments of `bench options`.
#[derive(Clone, Debug, Args)]
pub struct OptionsArgs {
    /// Paths of options or units: 'systemd.units."sshd.service".text'
    #[arg(value_name = "PATH", required_unless_present = "preset")]
    pub paths: Vec<String>,

    /// Repeat a published table of measurements
    #[arg(long, value_enum, value_name = "TABLE", value_delimiter = ',')]
    pub preset: Vec<Preset>,

    /// Look up paths in this attribute of the flake instead of the host
    #[arg(long, value_name = "ATTRIBUTE")]
    pub of: Option<String>,

    /// Extend the host with these modules
    #[arg(long, value_name = "NAME", value_delimiter = ',', add = modules())]
    pub with: Vec<String>,

    /// Also measure each path without this attribute
    #[arg(long, value_name = "PATH")]
    pub without: Vec<String>,

    /// Force values only to weak head normal form, not deeply as JSON
    #[arg(long)]
    pub shallow: bool,

    #[command(flatten)]
    pub measuring: MeasuringArgs,
}

/// Arguments of `bench overrides`.
#[derive(Clone, Debug, Args)]
pub struct OverridesBenchArgs {
    /// Path of the option to override
    #[arg(value_name = "PATH", default_value = "networking.hostName")]
    pub path: String,

    /// Value of each definition, in JSON
    #[arg(long, value_name = "JSON", default_value = "\"overridden\"")]
    pub value: String,

    /// Numbers of definitions to measure
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [0, 100, 1_000, 10_000, 100_000, 1_000_000])]
    pub counts: Vec<u64>,

    /// Measure this option instead of the overridden one
    #[arg(long, value_name = "PATH")]
    pub force: Option<String>,

    /// Extend the host with these modules
    #[arg(long, value_name = "NAME", value_delimiter = ',', add = modules())]
    pub with: Vec<String>,

    #[command(flatten)]
    pub measuring: MeasuringArgs,
}

/// Arguments of `bench compare`.
#[derive(Clone, Debug, Args)]
pub struct CompareArgs {
    /// Flake reference, or commit hash of the default flake
    #[arg(value_name = "A", add = flakes())]
    pub first: String,

    /// Flake reference or commit hash to compare with the first
    #[arg(value_name = "B", add = flakes())]
    pub second: String,

    /// Measure this option instead of the whole system
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,

    /// Extend the host with these modules
    #[arg(long, value_name = "NAME", value_delimiter = ',', add = modules())]
    pub with: Vec<String>,

    #[command(flatten)]
    pub measuring: MeasuringArgs,
}

/// Arguments of `bench diff`.
#[derive(Clone, Debug, Args)]
pub struct DiffArgs {
    /// Result file that --export-json wrote
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// Another result file of the same benchmark
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
}
