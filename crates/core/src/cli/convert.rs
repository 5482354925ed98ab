//! Turns clap's types into plain data.

use super::args::{
    ChangeArgs, CommandArgs, EditArgs, GlobalArgs, OverridesArgs, RecoverArgs, SetArgs,
};
use super::bench::{
    BenchArgs, CompareArgs, MeasuringArgs, OptionsArgs, OverridesBenchArgs, ToggleArgs,
};
use super::check::CheckArgs;
use crate::command::{
    BenchCommand, Benchmark, CheckOptions, Command, CompareBenchmark, Exports, LibnixCommand,
    Measuring, OptionsBenchmark, OverridesBenchmark, OverridesCommand, Rules, SetRequest,
    StopCondition, ToggleBenchmark,
};
use crate::options::{Apply, ChangeOptions, Options, SourceOptions, StopAfter};

/// Groups the values of a repeated option that takes two values each time.
fn pairs(values: Vec<String>) -> Vec<(String, String)> {
    values
        .chunks_exact(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect()
}

impl From<GlobalArgs> for Options {
    fn from(args: GlobalArgs) -> Self {
        Self {
            json: args.json,
            progress: args.progress,
            print_build_logs: args.print_build_logs,
            show_trace: args.show_trace,
            verbose: args.verbose,
            timings: args.timings,
            source: SourceOptions {
                flake: args.flake,
                host: args.host,
                file: args.file,
                attribute: args.attr,
                input_overrides: pairs(args.override_input),
            },
            accept_flake_config: args.accept_flake_config,
            impure: args.impure,
            low_memory: args.low_memory,
            no_cache: args.no_cache,
            keep_going: args.keep_going,
            store: args.store,
            nix_settings: pairs(args.option),
            root: args.root,
            cache: args.cache,
            elevate: args.elevate,
            activator_on_stdin: args.activator_on_stdin,
        }
    }
}

impl From<ChangeArgs> for ChangeOptions {
    fn from(args: ChangeArgs) -> Self {
        Self {
            stop_after: match args.dry_run {
                true => StopAfter::Evaluate,
                false => StopAfter::Activate,
            },
            force: args.force,
            specialisation: args.specialisation,
            extra_modules: args.extras,
            keep_extra_modules: args.keep,
            allow_import_from_derivation: args.allow_ifd,
            prefetch: args.prefetch,
            ask: args.ask,
            confirm: args.confirm,
            on_failed_units: args.on_failed_units,
            settle: args.settle,
            allow: args.allow,
            wait: args.waits.wait,
            message: None,
            apply: Apply::default(),
        }
    }
}

impl From<EditArgs> for ChangeOptions {
    fn from(args: EditArgs) -> Self {
        Self {
            message: args.message,
            apply: Apply {
                full: args.full,
                units: args.units,
                verify: args.verify.unwrap_or_default(),
            },
            ..args.change.into()
        }
    }
}

impl CommandArgs {
    /// Returns the command, or `None` for `help`, which clap answers itself.
    pub(super) fn into_command(self) -> Option<Command> {
        Some(match self {
            Self::Enable(args) => Command::Enable {
                names: args.names,
                options: args.change.into(),
            },
            Self::Disable(args) => Command::Disable {
                names: args.names,
                options: args.change.into(),
            },
            Self::Reset(args) => Command::Reset {
                all: args.all,
                options: args.change.into(),
            },
            Self::Set(args) => args.into(),
            Self::Unset(args) => Command::Unset {
                paths: args.options,
                options: args.edit.into(),
            },
            Self::Overrides(args) => {
                Command::Overrides(Box::new(args.command.unwrap_or(OverridesArgs::List).into()))
            }
            Self::Apply(args) => Command::Apply(args.into()),
            Self::Rebuild(args) => Command::Rebuild(args.into()),
            Self::Rollback(args) => Command::Rollback {
                number: args.number,
                options: args.change.into(),
            },
            Self::Recover(args) => args.into(),
            Self::Confirm(args) => Command::Confirm { wait: args.wait },
            Self::History => Command::History,
            Self::List => Command::List,
            Self::Status(args) => Command::Status { names: args.names },
            Self::Prefetch(args) => {
                Command::WithLibnix(LibnixCommand::Prefetch { names: args.names })
            }
            Self::Cache(args) => {
                Command::WithLibnix(LibnixCommand::Cache(args.what.unwrap_or_default()))
            }
            Self::Check(args) => Command::WithLibnix(LibnixCommand::Check(Box::new(args.into()))),
            Self::Bench(args) => {
                Command::WithLibnix(LibnixCommand::Bench(Box::new((*args).into())))
            }
            Self::Completions { shell } => Command::Completions(shell),
            Self::Man { page } => Command::Man(page),
            Self::Boot => Command::Boot,
            Self::Faults => Command::Faults,
            Self::GuestSystem { modules } => {
                Command::WithLibnix(LibnixCommand::GuestSystem { modules })
            }
            Self::Errors => Command::WithLibnix(LibnixCommand::Errors),
            Self::Schema { name } => Command::WithLibnix(LibnixCommand::Schema(name)),
            Self::Help { .. } => return None,
        })
    }
}

impl From<SetArgs> for Command {
    fn from(args: SetArgs) -> Self {
        Self::Set {
            request: SetRequest {
                pairs: args.pairs,
                merge: args.merge,
                priority: args.priority,
                persist: args.persist,
                nix: args.nix,
            },
            options: args.edit.into(),
        }
    }
}

impl From<RecoverArgs> for Command {
    fn from(args: RecoverArgs) -> Self {
        Self::Recover {
            finish: args.finish,
            settle: args.settle,
            wait: args.waits.wait,
        }
    }
}

impl From<OverridesArgs> for OverridesCommand {
    fn from(args: OverridesArgs) -> Self {
        match args {
            OverridesArgs::List => Self::List,
            OverridesArgs::History => Self::History,
            OverridesArgs::Show { generation } => Self::Show { generation },
            OverridesArgs::Diff { before, after } => Self::Diff { before, after },
            OverridesArgs::Rollback { generation, edit } => Self::Rollback {
                generation,
                options: edit.into(),
            },
            OverridesArgs::Reset(edit) => Self::Reset(edit.into()),
            OverridesArgs::Verify(args) => Self::Verify(ChangeOptions {
                wait: args.waits.wait,
                ..ChangeOptions::default()
            }),
            OverridesArgs::Export => Self::Export,
        }
    }
}

impl From<CheckArgs> for CheckOptions {
    fn from(args: CheckArgs) -> Self {
        Self {
            names: args.names,
            all_hosts: args.all_hosts,
            combinations: args.combinations,
            overrides: args.overrides,
            workers: args.workers,
            max_memory: args.max_memory,
            timeout: args.timeout,
            shard: args.shard,
            unshared: args.unshared,
            build: args.build,
            changed_since: args.changed_since,
            format: args.format,
            baseline: args.baseline,
            tolerance: args.tolerance,
        }
    }
}

impl From<BenchArgs> for BenchCommand {
    fn from(args: BenchArgs) -> Self {
        let (benchmark, measuring) = match args {
            BenchArgs::Eval(args) => (Benchmark::Eval { names: args.names }, args.measuring),
            BenchArgs::Toggle(args) => args.into(),
            BenchArgs::Options(args) => args.into(),
            BenchArgs::Overrides(args) => args.into(),
            BenchArgs::Compare(args) => args.into(),
            BenchArgs::Diff(args) => {
                return Self::Diff {
                    old: args.old,
                    new: args.new,
                };
            }
        };
        Self::Measure {
            benchmark,
            measuring: Box::new(measuring.into()),
        }
    }
}

impl From<MeasuringArgs> for Measuring {
    fn from(args: MeasuringArgs) -> Self {
        Self {
            rules: Rules {
                warmup: args.warmup,
                stop: match args.budget {
                    Some(budget) => StopCondition::Budget(budget),
                    None => StopCondition::Runs(args.runs),
                },
            },
            exports: Exports {
                json: args.export_json,
                markdown: args.export_markdown,
                csv: args.export_csv,
                svg: args.export_svg,
            },
            plot: !args.no_plot,
        }
    }
}

impl From<ToggleArgs> for (Benchmark, MeasuringArgs) {
    fn from(args: ToggleArgs) -> Self {
        let toggle = ToggleBenchmark {
            names: args.names,
            cached: args.cached,
        };
        (Benchmark::Toggle(toggle), args.measuring)
    }
}

impl From<OptionsArgs> for (Benchmark, MeasuringArgs) {
    fn from(args: OptionsArgs) -> Self {
        let options = OptionsBenchmark {
            paths: args.paths,
            presets: args.preset,
            of: args.of,
            with: args.with,
            without: args.without,
            shallow: args.shallow,
        };
        (Benchmark::Options(options), args.measuring)
    }
}

impl From<OverridesBenchArgs> for (Benchmark, MeasuringArgs) {
    fn from(args: OverridesBenchArgs) -> Self {
        let overrides = OverridesBenchmark {
            path: args.path,
            value: args.value,
            counts: args.counts,
            force: args.force,
            with: args.with,
        };
        (Benchmark::Overrides(overrides), args.measuring)
    }
}

impl From<CompareArgs> for (Benchmark, MeasuringArgs) {
    fn from(args: CompareArgs) -> Self {
        let compare = CompareBenchmark {
            first: args.first,
            second: args.second,
            path: args.path,
            with: args.with,
        };
        (Benchmark::Compare(compare), args.measuring)
    }
}
