//! Turns evaluation errors into messages that the user can act on.

use std::path::Path;

use serde::Deserialize;
use unix::sys::signal::Signal;

use super::trees::{Trees, in_source};
use super::{Request, advice, failure, fetching, subject};
use crate::attributes::{parse, written};
use crate::error::{Failed, Failure, describe, more_lines};
use crate::libnix::{NixError, Position};
use crate::registry::{nearest, unknown_modules};
use crate::worker::EvaluatorExit;

/// Maximum number of lines of an error that are shown without `--show-trace`.
const MESSAGE_LINES: usize = 12;

/// Maximum number of lines of a crashed evaluator's stderr that are shown.
const CRASH_LINES: usize = 5;

/// A problem with a request, as one of our own expressions reports it.
#[derive(Debug, Deserialize)]
pub(super) struct RequestProblem {
    pub(super) kind: String,
    #[serde(default)]
    pub(super) names: Vec<String>,
    #[serde(default)]
    pub(super) known: Vec<String>,
}

/// Explains an error of the evaluator, or of our code around it.
pub fn error(request: &Request, error: &anyhow::Error) -> Failed {
    if error.downcast_ref::<Failed>().is_some() {
        return describe(error);
    }
    match error.downcast_ref::<NixError>() {
        Some(nix) if nix.interrupted => {
            Failure::Interrupted.error("interrupted; nothing was changed")
        }
        Some(nix) => Failed {
            places: places(nix).cloned().collect(),
            ..nix_error(request, nix)
        },
        None => describe(error),
    }
}

/// Returns the positions of an error in files: its own, then those of its trace, the nearest first.
fn places(error: &NixError) -> impl Iterator<Item = &Position> {
    let on_the_way = error
        .traces
        .iter()
        .rev()
        .filter_map(|trace| trace.position.as_ref());
    let all = error.position.iter().chain(on_the_way);
    all.filter(|position| !position.file.is_empty())
}

fn nix_error(request: &Request, error: &NixError) -> Failed {
    let what = subject(request);
    if let Some(failed) = fetching::failure(&what, error) {
        return failed;
    }
    if error.message.contains("std::bad_alloc") {
        return failure(format!("{what}: the evaluator ran out of memory"))
            .hint("use --low-memory to evaluate in less memory");
    }
    let mut lines = advice::worth_showing(&error.message);
    let mut failed = failure(format!(
        "{what}: {}",
        lines.next().unwrap_or_default().trim()
    ));
    for line in lines.by_ref().take(MESSAGE_LINES) {
        failed = failed.detail(line);
    }
    let others = lines.count();
    if others > 0 && !request.settings.show_trace {
        failed = failed.detail(more_lines(others));
    }
    let hints = advice::hints(request, error);
    if request.settings.show_trace {
        failed = failed.detail(error.rendered.trim());
        return hints.into_iter().fold(failed, Failed::hint);
    }
    let trees = Trees::of(request);
    let places: Vec<&Position> = places(error).collect();
    let best = trees.best(&places);
    let users = best.filter(|position| trees.is_users(Path::new(&position.file)));
    // If the message names files, the position is only that of the code that found the error.
    let named = advice::names_files(&error.message) || trees.names_users_file(&error.message);
    failed = match (users, users_definition(error, &trees), best) {
        _ if advice::names_files(&error.message) => failed,
        (Some(position), _, _) => at(failed, position),
        (None, Some(definition), _) => failed.detail(definition),
        (None, None, Some(position)) if !named => at(failed, position),
        _ => failed,
    };
    hints
        .into_iter()
        .fold(failed, Failed::hint)
        .hint("use --show-trace to print the full trace")
}

/// Finds the definition in the user's own files that is nearest to the error in its trace. The
/// module system adds definitions to the trace even if no position of the trace is in these files.
fn users_definition(error: &NixError, trees: &Trees) -> Option<String> {
    let quoted = |hint: &str, lead: &str| {
        let rest = hint.strip_prefix(lead)?;
        Some(rest.split_once('\'')?.0.to_string())
    };
    let mut hints = error.traces.iter().rev().map(|trace| trace.hint.as_str());
    let file = hints.by_ref().find_map(|hint| {
        quoted(hint, "while evaluating definitions from `")
            .filter(|file| trees.is_users(Path::new(file)))
    })?;
    let option = hints.find_map(|hint| quoted(hint, "while evaluating the option `"));
    let file = in_source(&file);
    Some(match option {
        Some(option) => format!("in the definition of {option} in {file}"),
        None => format!("in a definition in {file}"),
    })
}

/// Adds the position, and the source line at it.
pub(super) fn at(failed: Failed, position: &Position) -> Failed {
    let (line, column) = (position.line, position.column);
    let failed = failed.detail(format!("at {}:{line}:{column}", in_source(&position.file)));
    match source_line(&position.file, line) {
        Some(text) => failed.detail(format!("{line:>6} | {text}")),
        None => failed,
    }
}

fn source_line(file: &str, line: u32) -> Option<String> {
    let text = std::fs::read_to_string(Path::new(file)).ok()?;
    text.lines()
        .nth(line.checked_sub(1)? as usize)
        .map(String::from)
}

/// Explains why the flake or file cannot be used for the request.
pub(super) fn problem(request: &Request, problem: &RequestProblem) -> Failed {
    let what = subject(request);
    let reference = &request.flake.url;
    let list = |names: &[String]| names.join(", ");
    match problem.kind.as_str() {
        "no-configurations" => failure(format!("{what}: the flake {reference} has no output nixosConfigurations"))
            .detail(the_known(&problem.known, "its outputs", "the flake has no outputs"))
            .hint("use --flake to name the flake that has your NixOS configuration"),
        "unknown-host" => {
            let failed = Failure::Usage
                .error(format!("{what}: the flake {reference} has no host of this name"))
                .detail(the_known(&problem.known, "its hosts", "the flake has no hosts"));
            match host_meant(&request.host, &problem.known).as_slice() {
                [] if problem.known.is_empty() => failed.hint("use --flake to name the flake that has your NixOS configuration"),
                [] => failed.hint("name one of them with --host"),
                names => failed.hint(did_you_mean_host(names)),
            }
        }
        "no-such-extra" => {
            let name = problem.names.first().map_or("", String::as_str);
            let failed = Failure::Usage.error(format!("{what}: --module {name}: that flake has no such module"));
            let known = the_known(&problem.known, "its modules", "the flake has neither nixosModules nor runtimeModules");
            failed.detail(known).hint("after the #, write the full path of an output, or the name of an entry of nixosModules or runtimeModules; the default is `default`")
        }
        "no-specialisation" => {
            let name = problem.names.first().map_or("", String::as_str);
            let failed = Failure::Usage.error(format!("{what}: there is no specialisation '{name}'"));
            let known = the_known(&problem.known, "available", "the host has no specialisations");
            failed.detail(known).hint("use --specialisation '' for the host itself")
        }
        "not-a-configuration" if !problem.known.is_empty() => Failure::Usage
            .error(format!("{what}: this is a set of hosts, not a host"))
            .detail(the_known(&problem.known, "its hosts", ""))
            .hint(did_you_mean_host(&problem.known)),
        "not-a-configuration" => failure(format!(
            "{what}: nixosConfigurations.{} cannot be extended (it has no extendModules)",
            request.host
        ))
        .hint("define the host with nixpkgs.lib.nixosSystem"),
        "no-option" if request.flake.file.is_some() => Failure::Usage
            .error(format!(
                "{what}: the file declares no runtime modules (it has no option services.runtimeModules)"
            ))
            .hint("import nixos/runtime-modules of the runtime-module repository in the file, and declare modules in services.runtimeModules.modules")
            .hint("or add the file of a module with --module FILE"),
        "no-option" => Failure::Usage
            .error(format!(
                "{what}: the host declares no runtime modules (it has no option services.runtimeModules), and the flake has no output runtimeModules"
            ))
            .hint("import nixosModules.default of the runtime-module flake in the host, and declare modules in services.runtimeModules.modules"),
        "unknown-modules" => unknown_modules(&problem.names, &problem.known),
        "defined-twice" => failure(format!("{what}: the module '{}' is declared twice", list(&problem.names)))
            .detail(problem.known.iter().map(|file| format!("in {}\n", in_source(file))).collect::<String>())
            .hint("rename one of the two modules"),
        "no-toplevel" => failure(format!("{what}: the configuration has no config.system.build.toplevel"))
            .hint("check that this is a NixOS configuration"),
        other => failure(format!("{what}: {other}"))
            .hint("this is a bug in runtime-module: please report it"),
    }
}

/// Explains why a value cannot be measured.
pub(super) fn forced(request: &Request, problem: &RequestProblem) -> Failed {
    let what = subject(request);
    let at = written(&problem.names);
    match problem.kind.as_str() {
        "no-attribute" => {
            let (last, parents) = match problem.names.split_last() {
                Some((last, parents)) => (last.as_str(), written(parents)),
                None => ("", String::new()),
            };
            let failed = Failure::Usage.error(match parents.as_str() {
                "" => format!("{what}: there is no '{last}'"),
                parents => format!("{what}: there is no '{last}' in {parents}"),
            });
            match nearest(last, &problem.known).as_slice() {
                [] => failed.detail(format!("available: {}", some(&problem.known))),
                close => failed.hint(format!("did you mean {}?", close.join(" or "))),
            }
        }
        "not-a-set" => {
            let kind = problem.known.first().map_or("value", String::as_str);
            let whole = if at.is_empty() {
                "the value".into()
            } else {
                at
            };
            Failure::Usage
                .error(format!(
                    "{what}: {whole} has no attributes (its type is {kind})"
                ))
                .hint("quote a name that contains a dot: 'systemd.units.\"sshd.service\".text'")
        }
        "function" => Failure::Usage
            .error(format!("{what}: a function cannot be forced deeply"))
            .hint("use --shallow to force only the top of the value"),
        other => failure(format!("{what}: {other}")),
    }
}

/// Suggests hosts: `x86_64-linux.box` for `box`, `box` for `x86_64-linux.box`, or else a similar
/// name.
fn host_meant(name: &str, known: &[String]) -> Vec<String> {
    let asked = parse(name).unwrap_or_default();
    let below = |host: &&String| {
        let path = parse(host).unwrap_or_default();
        path.len() != asked.len() && path.last().is_some() && path.last() == asked.last()
    };
    let mut found: Vec<String> = known.iter().filter(below).cloned().collect();
    let here = crate::libnix::system().unwrap_or_default();
    found.sort_by_key(|host| !host.starts_with(&format!("{here}.")));
    match found.is_empty() {
        true => {
            let near = nearest(name, known).into_iter().take(1);
            near.map(String::from).collect()
        }
        false => found,
    }
}

fn did_you_mean_host(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let names: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| match name.contains('"') {
            true => format!("--host '{name}'"),
            false => format!("--host {name}"),
        })
        .collect();
    format!("did you mean {}?", names.join(" or "))
}

/// Lists the available names.
fn the_known(names: &[String], lead: &str, none: &str) -> String {
    match names {
        [] => none.into(),
        names => format!("{lead}: {}", some(names)),
    }
}

/// Lists the first names, and the number of the others.
pub(super) fn some(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let shown = names
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

/// Explains why an evaluator ended without an answer.
pub(super) fn crash(request: &Request, ended: &EvaluatorExit) -> Failed {
    let what = subject(request);
    let failed = match ended.signal() {
        Some(Signal::SIGABRT) if !ended.stderr.contains("overflowed its stack") => {
            failure(format!("{what}: the evaluator aborted, probably because memory ran out"))
                .hint("use --low-memory to evaluate in less memory")
        }
        Some(Signal::SIGSEGV | Signal::SIGABRT | Signal::SIGBUS) => {
            failure(format!("{what}: the evaluation overflowed its stack"))
                .hint("a value or function probably depends on itself: use --option max-call-depth 1000 to get an error with the position")
        }
        Some(Signal::SIGKILL) => failure(format!("{what}: the evaluator was killed, probably because memory ran out"))
            .hint("use --low-memory to evaluate in less memory; run `dmesg` to see whether the kernel killed the evaluator"),
        Some(signal) => failure(format!("{what}: the evaluator was killed by {signal}"))
            .hint("try again; if the error persists, please report it with the output above"),
        None => failure(format!("{what}: the evaluator exited without an answer, probably because memory ran out"))
            .hint("use --low-memory to evaluate in less memory"),
    };
    // The message above replaces Rust's own lines about a stack overflow.
    let told = ended.stderr.lines().filter(|line| {
        !(line.is_empty()
            || line.starts_with("thread '")
            || line.starts_with("fatal runtime error"))
    });
    let last: Vec<&str> = told.collect();
    let last = &last[last.len().saturating_sub(CRASH_LINES)..];
    last.iter().fold(failed, |failed, line| failed.detail(line))
}
