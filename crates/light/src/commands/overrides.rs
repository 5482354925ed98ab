//! `overrides`: lists, shows, compares, rolls back, removes or exports option overrides.

use anyhow::Result;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::run::Run;
use runtime_module_core::attributes::written;
use runtime_module_core::clock::now;
use runtime_module_core::command::OverridesCommand;
use runtime_module_core::error::{OverrideError, neutral};
use runtime_module_core::options::ChangeOptions;
use runtime_module_core::output::{print_result, print_sorted_result, say};
use runtime_module_core::overrides::{
    Definition, Edit, Generation, Mode, OverrideDifference, OverrideState, diff, export, state_at,
};
use runtime_module_core::plan::Action;
use runtime_module_core::progress::duration;
use runtime_module_core::session::Session;

mod verify;

pub use verify::VerifyReport;

/// Runs a subcommand.
pub fn run(run: Run<'_>, command: OverridesCommand) -> Result<()> {
    let session = run.session;
    match command {
        OverridesCommand::List => list(session),
        OverridesCommand::History => history(session),
        OverridesCommand::Show { generation } => show(session, generation),
        OverridesCommand::Diff { before, after } => compare(session, before, after),
        OverridesCommand::Rollback {
            generation,
            options,
        } => rollback(run, generation, options),
        OverridesCommand::Reset(options) => run.change(Action::Override(Edit::Reset), options),
        OverridesCommand::Verify(options) => verify::run(run, &options),
        OverridesCommand::Export => {
            let state = session.host().state()?;
            session.reporter.finish();
            say(export(&state.overrides))
        }
    }
}

/// The document of `overrides` and `overrides list`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverrideList {
    schema: u64,
    /// The number of the last generation.
    generation: u64,
    /// The overrides in force, in the order of evaluation.
    overrides: Vec<ListedOverride>,
    /// The persistent overrides that a temporary one hides until the next boot; absent if there are
    /// none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    after_reboot: Vec<ListedOverride>,
}

/// An option override.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedOverride {
    /// The path of the option, in Nix syntax.
    option: String,
    #[serde(flatten)]
    definition: Definition,
}

impl From<Definition> for ListedOverride {
    fn from(definition: Definition) -> Self {
        Self {
            option: written(&definition.path),
            definition,
        }
    }
}

fn list(session: &Session) -> Result<()> {
    let state = session.host().state()?.overrides;
    let in_force = |one: &Definition| {
        let mut here = state.definitions.iter().filter(|other| other.persist);
        here.any(|other| (&other.path, &other.value) == (&one.path, &one.value))
    };
    let hidden = state.kept().into_iter().filter(|one| !in_force(one));
    let list = OverrideList {
        schema: 1,
        generation: state.generation,
        after_reboot: hidden.map(ListedOverride::from).collect(),
        overrides: state.definitions.into_iter().map(Into::into).collect(),
    };
    print_result(session, &list, |list| {
        let mut lines: String = match list.overrides.is_empty() {
            true => "no option is overridden\n".into(),
            false => list
                .overrides
                .iter()
                .map(|one| line(&one.definition))
                .collect(),
        };
        for one in &list.after_reboot {
            lines += &format!("after a reboot: {}", line(&one.definition));
        }
        lines
    })
}

fn line(definition: &Definition) -> String {
    let Definition {
        path,
        value,
        mode,
        priority,
        generation,
        persist,
        store_paths: _,
    } = definition;
    let sign = match mode {
        Mode::Replace => "=",
        Mode::Merge => "+=",
    };
    let mut facts = vec![format!("generation {generation}")];
    facts.extend(priority.map(|priority| format!("priority {priority}")));
    facts.extend(persist.then(|| "persistent".to_string()));
    let text = format!("{} {sign} {value}  ({})", written(path), facts.join(", "));
    neutral(&text) + "\n"
}

/// The document of `overrides history`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverrideHistory {
    schema: u64,
    /// The number of the generation in force.
    current: u64,
    /// The generations of this boot, oldest first.
    generations: Vec<Generation>,
    /// The numbers of the generations that were applied without a new toplevel and verified later.
    verified: Vec<u64>,
}

fn history(session: &Session) -> Result<()> {
    let state = session.host().state()?;
    let history = OverrideHistory {
        schema: 1,
        current: state.overrides.generation,
        verified: state.verified.keys().copied().collect(),
        generations: session.host().generations()?,
    };
    let now = now();
    print_result(session, &history, |history| {
        if history.generations.is_empty() {
            return "no option has been overridden since boot\n".into();
        }
        let lines = history.generations.iter().map(|generation| {
            let age = std::time::Duration::from_secs(now.saturating_sub(generation.time));
            let message = generation.message.as_ref();
            let message = message.map_or_else(String::new, |text| format!(": {text}"));
            let verified = match history.verified.contains(&generation.number) {
                true => " (verified)",
                false => "",
            };
            let text = format!(
                "{:>4}  {} ago by {}  {}{verified}{message}",
                generation.number,
                duration(age),
                generation.user,
                generation.words()
            );
            neutral(&text) + "\n"
        });
        lines.collect()
    })
}

/// The document of `overrides show`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OverridesAfter {
    schema: u64,
    /// The requested generation.
    generation: Generation,
    /// The overrides after the generation.
    definitions: Vec<Definition>,
}

fn show(session: &Session, number: u64) -> Result<()> {
    let generations = session.host().generations()?;
    let after = state_at(&generations, number)?;
    let mut generations = generations.into_iter();
    let document = OverridesAfter {
        schema: 1,
        generation: generations
            .find(|one| one.number == number)
            .expect("state_at finds it"),
        definitions: after.definitions,
    };
    print_sorted_result(session, &document, |document| {
        let (number, words) = (document.generation.number, document.generation.words());
        let head = neutral(&format!("{number}: {words}")) + "\n";
        let lines = document
            .definitions
            .iter()
            .map(|one| format!("  {}", line(one)));
        head + &lines.collect::<String>()
    })
}

/// The document of `overrides diff`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OverrideDifferences {
    schema: u64,
    /// The paths whose overrides differ.
    differences: Vec<OverrideDifference>,
}

fn compare(session: &Session, before: u64, after: u64) -> Result<()> {
    let generations = session.host().generations()?;
    let first = state_at(&generations, before)?;
    let differences = diff(&first, &state_at(&generations, after)?);
    let document = OverrideDifferences {
        schema: 1,
        differences,
    };
    print_sorted_result(session, &document, |document| {
        let differences = &document.differences;
        match differences.is_empty() {
            true => format!("generations {before} and {after} have the same overrides\n"),
            false => differences.iter().map(difference).collect(),
        }
    })
}

fn difference(difference: &OverrideDifference) -> String {
    let text = |value: &Option<Value>| {
        value
            .as_ref()
            .map_or_else(|| "not overridden".into(), Value::to_string)
    };
    let OverrideDifference {
        path,
        before,
        after,
    } = difference;
    let line = format!("{}: {} -> {}", written(path), text(before), text(after));
    neutral(&line) + "\n"
}

fn rollback(run: Run<'_>, number: Option<u64>, options: ChangeOptions) -> Result<()> {
    let session = run.session;
    let now = session.host().state()?.overrides;
    let generations = session.host().generations()?;
    let to = match (number, now.generation.checked_sub(1)) {
        (Some(number), _) => number,
        (None, Some(before)) => before,
        (None, None) => {
            return Err(OverrideError::NothingToRollBack.into());
        }
    };
    let then = match to {
        0 => at_boot(&generations),
        _ => state_at(&generations, to)?,
    };
    run.change(
        Action::Override(Edit::Rollback {
            to,
            kept: then.kept(),
            definitions: then.definitions,
            survived: Vec::new(),
        }),
        options,
    )
}

/// Returns the overrides of generation 0: those that survived the reboot.
fn at_boot(generations: &[Generation]) -> OverrideState {
    let definitions = match generations.first().map(|first| &first.edit) {
        Some(Edit::Rollback { survived, .. }) => survived.clone(),
        _ => Vec::new(),
    };
    OverrideState {
        generation: 0,
        kept: definitions.clone(),
        definitions,
    }
}
