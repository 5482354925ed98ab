//! The benchmarks and their settings, as plain data.

use std::path::PathBuf;
use std::time::Duration;

use crate::choice::Preset;

/// A benchmark to run, or two results to compare.
#[derive(Clone, Debug)]
pub enum BenchCommand {
    Measure {
        benchmark: Benchmark,
        measuring: Box<Measuring>,
    },
    /// A comparison of two result files of the same benchmark.
    Diff { old: PathBuf, new: PathBuf },
}

/// A benchmark with its arguments.
#[derive(Clone, Debug)]
pub enum Benchmark {
    Eval { names: Vec<String> },
    Toggle(ToggleBenchmark),
    Options(OptionsBenchmark),
    Overrides(OverridesBenchmark),
    Compare(CompareBenchmark),
}

/// The settings of a measurement, and the files for its result.
#[derive(Clone, Debug)]
pub struct Measuring {
    pub rules: Rules,
    pub exports: Exports,
    /// Whether to print a plot.
    pub plot: bool,
}

/// The arguments of `bench toggle`, which measures each phase of a toggle.
#[derive(Clone, Debug)]
pub struct ToggleBenchmark {
    /// Modules that are either all enabled or all disabled.
    pub names: Vec<String>,
    /// Whether evaluations may come from the result cache.
    pub cached: bool,
}

/// The arguments of `bench options`, which measures single attributes.
#[derive(Clone, Debug)]
pub struct OptionsBenchmark {
    /// The attribute paths of options or units.
    pub paths: Vec<String>,
    pub presets: Vec<Preset>,
    /// The attribute of the flake in which to look up the paths, instead of the host.
    pub of: Option<String>,
    /// The modules that extend the host.
    pub with: Vec<String>,
    /// Attributes that a second measurement of each path leaves out.
    pub without: Vec<String>,
    /// Whether to force values only to weak head normal form.
    pub shallow: bool,
}

/// The arguments of `bench overrides`, which measures the cost of a growing number of overrides.
#[derive(Clone, Debug)]
pub struct OverridesBenchmark {
    /// The attribute path of the overridden option.
    pub path: String,
    /// The value of each definition, as JSON.
    pub value: String,
    /// The numbers of definitions to measure.
    pub counts: Vec<u64>,
    /// The option to measure instead of the overridden one.
    pub force: Option<String>,
    /// The modules that extend the host.
    pub with: Vec<String>,
}

/// The arguments of `bench compare`, which compares two flake references or commits.
#[derive(Clone, Debug)]
pub struct CompareBenchmark {
    pub first: String,
    pub second: String,
    /// The option to measure instead of the whole system.
    pub path: Option<String>,
    /// The modules that extend the host.
    pub with: Vec<String>,
}

/// The condition that ends a benchmark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StopCondition {
    /// Stop after this many rounds.
    Runs(u64),
    /// Stop before a round that would exceed this time, which includes the warm-up.
    Budget(Duration),
}

/// The rules that decide how many rounds to run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// The number of warm-up rounds, which are not part of the result.
    pub warmup: u64,
    pub stop: StopCondition,
}

/// The result files to write.
#[derive(Clone, Debug, Default)]
pub struct Exports {
    /// The complete result.
    pub json: Option<PathBuf>,
    pub markdown: Option<PathBuf>,
    pub csv: Option<PathBuf>,
    pub svg: Option<PathBuf>,
}
