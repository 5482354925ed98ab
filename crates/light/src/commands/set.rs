//! `set`: overrides options of the running system.

use std::io::Read as _;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::run::Run;
use runtime_module_core::attributes::{parse, written};
use runtime_module_core::command::SetRequest;
use runtime_module_core::error::{Failed, Message as _, OverrideError};
use runtime_module_core::options::ChangeOptions;
use runtime_module_core::overrides::{Definition, Edit, Mode};
use runtime_module_core::plan::{Action, Intent};
use runtime_module_core::quoting::for_shell;

/// The maximum size of stdin in bytes.
const LONGEST_BATCH: u64 = 16 << 20;

/// Sets all options in one generation.
pub fn run(run: Run<'_>, request: &SetRequest, options: ChangeOptions) -> Result<()> {
    let pairs = match request.pairs.as_slice() {
        [dash] if dash == "-" => batch()?,
        pairs => from_arguments(pairs)?,
    };
    let mut definitions: Vec<Definition> = Vec::new();
    let mut expressions = Vec::new();
    for (option, text) in pairs {
        let definition = definition(request, &option, &text)?;
        let twice = definitions.iter().any(|one| one.path == definition.path);
        if twice && !request.merge {
            return Err(OverrideError::NamedTwice { option }.into());
        }
        definitions.push(definition);
        if request.nix {
            expressions.push(text);
        }
    }
    let intent = Intent {
        action: Action::Override(Edit::Set { definitions }),
        options,
        expressions,
    };
    run.carry_out(&intent)
}

fn definition(request: &SetRequest, option: &str, text: &str) -> Result<Definition> {
    let path = parse(option)?;
    let value: Value = match request.nix {
        // The expression is evaluated later. Until then, the value is an empty attribute set, so
        // that the same command can also set options below this one.
        true => Value::Object(serde_json::Map::new()),
        false => serde_json::from_str(text).map_err(|error| not_json(option, text, &error))?,
    };
    Ok(Definition {
        path,
        value,
        mode: match request.merge {
            true => Mode::Merge,
            false => Mode::Replace,
        },
        priority: request.priority,
        persist: request.persist,
        ..Definition::default()
    })
}

fn from_arguments(arguments: &[String]) -> Result<Vec<(String, String)>, Failed> {
    if let (Some(option), true) = (arguments.last(), arguments.len() % 2 == 1) {
        return Err(OverrideError::NoValue {
            option: option.clone(),
            quoted: for_shell(option),
        }
        .into());
    }
    let pairs = arguments.chunks_exact(2);
    Ok(pairs
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect())
}

/// Reads pairs from stdin: each line contains an option, a space, and its value. Skips empty lines
/// and lines that begin with `#`.
fn batch() -> Result<Vec<(String, String)>> {
    let mut text = String::new();
    let mut input = std::io::stdin().take(LONGEST_BATCH + 1);
    input
        .read_to_string(&mut text)
        .context("cannot read options and values from stdin")?;
    if text.len() as u64 > LONGEST_BATCH {
        return Err(OverrideError::StdinTooLong.into());
    }
    let pair = |(number, line): (usize, &str)| {
        split(line).ok_or_else(|| OverrideError::LineWithoutValue {
            number: number + 1,
            line: line.into(),
        })
    };
    let lines = text.lines().map(str::trim).enumerate();
    let pairs = lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(pair)
        .collect::<Result<Vec<_>, _>>()?;
    if pairs.is_empty() {
        return Err(OverrideError::NothingOnStdin.into());
    }
    Ok(pairs)
}

/// Splits a line after the path, whose quoted names may contain spaces.
fn split(line: &str) -> Option<(String, String)> {
    let mut quoted = false;
    let end = line.find(|c: char| {
        quoted ^= c == '"';
        !quoted && c.is_whitespace()
    })?;
    let (path, value) = line.split_at(end);
    Some((path.into(), value.trim_start().into()))
}

fn not_json(option: &str, text: &str, error: &serde_json::Error) -> Failed {
    let reason = error.to_string();
    let number = text.trim_start_matches(['-', '+']).to_ascii_lowercase();
    let hint = if reason.contains("out of range")
        || ["nan", "inf", "infinity"].contains(&number.as_str())
    {
        "write a finite number, or quote the value if you mean a string: JSON has neither NaN nor \
            infinite numbers"
            .into()
    } else if text.starts_with(['{', '[', '"']) || text.is_empty() {
        "write a value such as true, 80, '\"text\"', '[1, 2]' or '{\"a\": 1}'".into()
    } else {
        // The user probably meant a bare word as a string.
        let plain = parse(option).map_or_else(|_| option.into(), |path| written(&path));
        format!(
            "if you mean a string, quote it: `runtime-module set {} {}`",
            for_shell(&plain),
            for_shell(&Value::from(text).to_string())
        )
    };
    let error = OverrideError::NotJson {
        option: option.into(),
        value: text.into(),
        reason,
    };
    error.hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_after_the_path() {
        let line = r#"a."b c".d  {"x": "y z"}"#;
        let (path, value) = split(line).expect("a pair");
        assert_eq!(
            (path.as_str(), value.as_str()),
            (r#"a."b c".d"#, r#"{"x": "y z"}"#)
        );
        assert_eq!(split("a.b"), None);
    }

    #[test]
    fn strings_without_quotes_are_explained() {
        let error = serde_json::from_str::<Value>("nginx").expect_err("no JSON");
        let failed = not_json("a.b", "nginx", &error);
        assert!(
            failed.hints[0].ends_with(r#"set a.b '"nginx"'`"#),
            "{failed:?}"
        );
    }
}
