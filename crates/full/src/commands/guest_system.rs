//! `__guest-system`: evaluates and builds a host for a guest, and prints its store path. The state of
//! this machine does not matter, except for the source of its configuration.

use anyhow::Result;

use runtime_module_core::host::Situation;
use runtime_module_core::options::{ChangeOptions, StopAfter};
use runtime_module_core::output::say;
use runtime_module_core::plan::{Action, Decision, Intent, decide};
use runtime_module_core::record::State;
use runtime_module_nix::pipeline::make;
use runtime_module_nix::session::NixSession;

/// Builds the host with these modules.
pub fn run(session: &NixSession, modules: Vec<String>) -> Result<()> {
    let source = &session.options.source;
    let situation = match source.flake.is_some() {
        true => elsewhere(),
        false => without_modules(session.host().situation()?),
    };
    let options = ChangeOptions {
        stop_after: StopAfter::Realise,
        force: true,
        ..ChangeOptions::default()
    };
    let intent = Intent::new(Action::Enable(modules), options);
    let Decision::Do(mut plan) = decide(&intent, &situation, source, &session.here)? else {
        // This is unreachable, because the options force the change.
        return Ok(());
    };
    plan.for_guest = true;
    // Do not build the host without its modules, and do not compare it with the running system.
    plan.base = Some(String::new());
    plan.expected = None;
    let system = make(session, &situation, &plan)?;
    // The cache's GC root protects the system until the guest has its own.
    system.keep_in_cache();
    session.interrupts.settle();
    session.reporter.finish();
    say(format!("{}\n", system.toplevel))
}

/// Returns the situation of a machine about which nothing is known.
fn elsewhere() -> Situation {
    Situation {
        history: Vec::new(),
        effects: Default::default(),
        baked: None,
        state: State::default(),
        running: None,
        under_way: None,
        usual: None,
        plain: None,
        specialisation: None,
    }
}

/// Returns the situation of this machine as if no module were enabled.
fn without_modules(mut situation: Situation) -> Situation {
    situation.state.wanted.clear();
    situation.state.overrides = Default::default();
    situation.running = None;
    situation
}
