//! The benchmarks and how to measure them, as plain data.

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
    /// Compares two result files of the same benchmark.
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

/// How to measure, and what to do with the result.
#[derive(Clone, Debug)]
pub struct Measuring {
    pub rules: Rules,
    pub exports: Exports,
    /// Whether to print a plot.
    pub plot: bool,
}

/// Measures each phase of a toggle.
#[derive(Clone, Debug)]
pub struct ToggleBenchmark {
    /// Modules that are all enabled or all disabled.
    pub names: Vec<String>,
    /// Whether evaluations may come from the result cache.
    pub cached: bool,
}

/// Measures single attributes.
#[derive(Clone, Debug)]
pub struct OptionsBenchmark {
    /// Attribute paths of options or units.
    pub paths: Vec<String>,
    pub presets: Vec<Preset>,
    /// Attribute of the flake that contains the paths, instead of the host.
    pub of: Option<String>,
    /// Modules that extend the host.
    pub with: Vec<String>,
    /// Attributes that are left out in a second measurement of each path.
    pub without: Vec<String>,
    /// Whether to force values only to weak head normal form.
    pub shallow: bool,
}

/// Measures a record of overrides of growing length.
#[derive(Clone, Debug)]
pub struct OverridesBenchmark {
    /// Attribute path of the overridden option.
    pub path: String,
    /// Value of each definition, as JSON.
    pub value: String,
    /// Numbers of definitions.
    pub counts: Vec<u64>,
    /// The option to measure instead of the overridden one.
    pub force: Option<String>,
    /// Modules that extend the host.
    pub with: Vec<String>,
}

/// Compares two flake references or commits.
#[derive(Clone, Debug)]
pub struct CompareBenchmark {
    pub first: String,
    pub second: String,
    /// The option to measure instead of the whole system.
    pub path: Option<String>,
    /// Modules that extend the host.
    pub with: Vec<String>,
}

/// The condition that ends a benchmark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Enough {
    /// Stop after this many rounds.
    Runs(u64),
    /// Stop if another round would exceed this time, which includes the warm-up.
    Budget(Duration),
}

/// How many rounds to run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// Number of rounds that do not count.
    pub warmup: u64,
    pub enough: Enough,
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
