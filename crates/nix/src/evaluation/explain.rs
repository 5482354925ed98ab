//! Turns evaluation errors into messages that the user can act on.

use std::path::Path;

use serde::Deserialize;
use unix::sys::signal::Signal;

use super::trees::{Trees, in_source};
use super::{EvaluationRequest, action, advice, fetching};
use crate::attributes::{parse, written};
use crate::error::{EvaluationAction, EvaluationError, Failed, Message as _, describe, more_lines};
use crate::interrupt::interrupted;
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
pub fn error(request: &EvaluationRequest, error: &anyhow::Error) -> Failed {
    if error.downcast_ref::<Failed>().is_some() {
        return describe(error);
    }
    match error.downcast_ref::<NixError>() {
        Some(nix) if nix.interrupted => interrupted(),
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

fn nix_error(request: &EvaluationRequest, error: &NixError) -> Failed {
    let action = action(request);
    if let Some(failed) = fetching::failure(&action.to_string(), error) {
        return failed;
    }
    if error.message.contains("std::bad_alloc") {
        return EvaluationError::OutOfMemory { action }.into();
    }
    let mut lines = advice::worth_showing(&error.message);
    let first = lines.next().unwrap_or_default().trim();
    let mut failed = Failed::from(action.failed(first.into()));
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
pub(super) fn problem(request: &EvaluationRequest, problem: &RequestProblem) -> Failed {
    let action = action(request);
    let name = || problem.names.first().cloned().unwrap_or_default();
    let flake = || {
        let flake = request.source.flake();
        flake.map_or_else(String::new, |flake| flake.url.clone())
    };
    let known = |lead: &str, none: &str| the_known(&problem.known, lead, none);
    match problem.kind.as_str() {
        "no-configurations" => {
            let flake = flake();
            EvaluationError::NoConfigurations { action, flake }
                .detail(known("its outputs", "the flake has no outputs"))
        }
        "unknown-host" => {
            let flake = flake();
            EvaluationError::UnknownHost { action, flake }
                .detail(known("its hosts", "the flake has no hosts"))
                .hint(other_host(&request.host, &problem.known))
        }
        "no-such-extra" => {
            let module = name();
            EvaluationError::NoSuchExtraModule { action, module }.detail(known(
                "its modules",
                "the flake has neither nixosModules nor runtimeModules",
            ))
        }
        "no-specialisation" => {
            let name = name();
            EvaluationError::UnknownSpecialisation { action, name }
                .detail(known("available", "the host has no specialisations"))
        }
        "not-a-configuration" => not_a_configuration(action, &request.host, &problem.known),
        "no-option" if request.source.flake().is_none() => {
            EvaluationError::NoModulesInFile { action }.into()
        }
        "no-option" => EvaluationError::NoModulesInHost { action }.into(),
        "unknown-modules" => unknown_modules(&problem.names, &problem.known),
        "defined-twice" => {
            let module = problem.names.join(", ");
            let lines = problem.known.iter();
            let lines: Vec<String> = lines
                .map(|file| format!("in {}", in_source(file)))
                .collect();
            EvaluationError::DeclaredTwice { action, module }.detail(lines.join("\n"))
        }
        "no-toplevel" => EvaluationError::NoToplevel { action }.into(),
        other => {
            let problem = other.into();
            EvaluationError::UnknownProblem { action, problem }.into()
        }
    }
}

/// Explains an entry of `nixosConfigurations` that is not a host: a set of hosts, or a value that
/// cannot be extended.
fn not_a_configuration(action: EvaluationAction, host: &str, hosts: &[String]) -> Failed {
    if hosts.is_empty() {
        let host = host.into();
        return EvaluationError::HostNotExtensible { action, host }.into();
    }
    EvaluationError::SetOfHosts { action }
        .detail(the_known(hosts, "its hosts", ""))
        .hint(did_you_mean_host(hosts))
}

/// Explains why a value cannot be measured.
pub(super) fn forced(request: &EvaluationRequest, problem: &RequestProblem) -> Failed {
    let action = action(request);
    match problem.kind.as_str() {
        "no-attribute" => {
            let (name, parents) = match problem.names.split_last() {
                Some((last, parents)) => (last.clone(), written(parents)),
                None => Default::default(),
            };
            let close = nearest(&name, &problem.known).join(" or ");
            let error = match parents.is_empty() {
                true => EvaluationError::NoValue { action, name },
                false => EvaluationError::NoAttribute {
                    action,
                    name,
                    place: parents,
                },
            };
            match close.as_str() {
                "" => error.detail(format!("available: {}", some(&problem.known))),
                close => error.hint(format!("did you mean {close}?")),
            }
        }
        "not-a-set" => not_a_set(action, problem)
            .hint("quote a name that contains a dot: 'systemd.units.\"sshd.service\".text'"),
        "function" => EvaluationError::FunctionForced { action }.into(),
        other => {
            let problem = other.into();
            EvaluationError::UnknownProblem { action, problem }.into()
        }
    }
}

/// Makes the message for a path that continues below a value without attributes.
pub(super) fn not_a_set(action: EvaluationAction, problem: &RequestProblem) -> EvaluationError {
    let value = match problem.names.as_slice() {
        [] => "the value".into(),
        names => written(names),
    };
    let type_name = problem.known.first().cloned();
    EvaluationError::NotASet {
        action,
        value,
        type_name: type_name.unwrap_or_else(|| "value".into()),
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

/// Suggests another host than the unknown one.
fn other_host(name: &str, known: &[String]) -> String {
    match host_meant(name, known).as_slice() {
        [] if known.is_empty() => {
            "use --flake to specify the flake that has your NixOS configuration".into()
        }
        [] => "select one of them with --host".into(),
        names => did_you_mean_host(names),
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
pub(super) fn crash(request: &EvaluationRequest, ended: &EvaluatorExit) -> Failed {
    let action = action(request);
    let failed = Failed::from(match ended.signal() {
        Some(Signal::SIGABRT) if !ended.stderr.contains("overflowed its stack") => {
            EvaluationError::Aborted { action }
        }
        Some(Signal::SIGSEGV | Signal::SIGABRT | Signal::SIGBUS) => {
            EvaluationError::StackOverflow { action }
        }
        Some(Signal::SIGKILL) => EvaluationError::Killed { action },
        Some(signal) => {
            let signal = signal.to_string();
            EvaluationError::KilledBySignal { action, signal }
        }
        None => EvaluationError::NoAnswer { action },
    });
    // The message above replaces Rust's own lines about a stack overflow.
    let lines = ended.stderr.lines().filter(|line| {
        !(line.is_empty()
            || line.starts_with("thread '")
            || line.starts_with("fatal runtime error"))
    });
    let last: Vec<&str> = lines.collect();
    let last = &last[last.len().saturating_sub(CRASH_LINES)..];
    last.iter().fold(failed, |failed, line| failed.detail(line))
}
