//! `prefetch`, and `--prefetch` after a change: evaluates and builds modules in advance, so that
//! enabling one of them later only activates it.

use std::io::Write as _;

use anyhow::Result;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use runtime_module_core::error::{Failed, describe, neutral};
use runtime_module_core::options::{ChangeOptions, StopAfter};
use runtime_module_core::output::say;
use runtime_module_core::plan::{Action, Decision, Intent, decide, is_file};
use runtime_module_core::progress::{for_stderr, for_stdout};
use runtime_module_nix::pipeline::make;
use runtime_module_nix::session::NixSession;

/// The JSON document that `prefetch` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Prefetched {
    schema: u64,
    /// Modules that can now be enabled without building.
    prefetched: Vec<String>,
}

/// Prefetches each named module separately, each together with the requested modules. If one fails,
/// continues with the others, and returns the first error at the end.
pub fn run(session: &NixSession, names: &[String]) -> Result<()> {
    let mut done = Vec::new();
    let mut failed = None;
    for name in names {
        match one(session, name) {
            Ok(()) => done.push(name.clone()),
            Err(error) => {
                session.interrupts.check()?;
                if failed.is_some() {
                    print_result(name, &error);
                }
                failed.get_or_insert(error);
            }
        }
    }
    if let Some(error) = failed {
        return Err(error);
    }
    session.interrupts.settle();
    session.reporter.finish();
    let text = match session.options.json {
        true => {
            let document = Prefetched {
                schema: 1,
                prefetched: done,
            };
            json!(document).to_string() + "\n"
        }
        false => {
            let names = neutral(&done.join(", "));
            for_stdout(&format!("{names} {}\n", ready(session)?))
        }
    };
    say(text)
}

/// Describes what enabling a prefetched module still requires. The evaluation of a file is not
/// cached, so it must be repeated.
fn ready(session: &NixSession) -> Result<&'static str> {
    let situation = session.host().situation()?;
    Ok(match is_file(&situation, &session.options.source) {
        true => "can be enabled after another evaluation",
        false => "can be enabled immediately",
    })
}

/// Prefetches modules after a successful change. Failures are printed, but do not fail the change.
pub fn afterwards(session: &NixSession, names: &[String]) {
    for name in names {
        if let Err(error) = one(session, name) {
            print_result(name, &error);
        }
    }
}

fn print_result(name: &str, error: &anyhow::Error) {
    let Failed { message, .. } = describe(error);
    let text = format!("cannot prefetch {}: {message}", neutral(name));
    let _ = writeln!(std::io::stderr(), "{}", for_stderr(&text));
}

fn one(session: &NixSession, name: &str) -> Result<()> {
    let situation = session.host().situation()?;
    let options = ChangeOptions {
        stop_after: StopAfter::Realise,
        force: true,
        ..ChangeOptions::default()
    };
    let intent = Intent::new(Action::Enable(vec![name.to_string()]), options);
    match decide(&intent, &situation, &session.options.source, &session.here)? {
        Decision::Nothing(_) => Ok(()),
        Decision::Do(plan) => {
            make(session, &situation, &plan)?.keep_in_cache();
            Ok(())
        }
    }
}
