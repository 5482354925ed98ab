//! Generates shell completions and manual pages from clap's types.

use std::collections::BTreeSet;
use std::io::Write as _;

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter};
use clap_complete::env::{EnvCompleter, Fish, Zsh};
use clap_complete_nushell::Nushell;

use super::args::Cli;
use super::complete::COMPLETE;
use crate::choice::Shell;

const NAME: &str = "runtime-module";

const BASH: &str = include_str!("completions.bash");

/// Generates the completions for a shell. The scripts of all shells except nushell call the program
/// for each completion.
pub fn completions(shell: Shell) -> Result<Vec<u8>> {
    let mut script = Vec::new();
    let ask = |completer: &dyn EnvCompleter, script: &mut Vec<u8>| {
        completer.write_registration(COMPLETE, NAME, NAME, NAME, script)
    };
    match shell {
        // Bash splits `--option=value`, and clap's own script treats each part as a word.
        Shell::Bash => script.write_all(BASH.as_bytes()),
        Shell::Zsh => ask(&Zsh, &mut script),
        Shell::Fish => ask(&Fish, &mut script),
        Shell::Nushell => {
            let mut generated = Vec::new();
            clap_complete::generate(Nushell, &mut Cli::command(), NAME, &mut generated);
            let generated =
                String::from_utf8(generated).context("cannot read nushell's completions")?;
            write!(script, "{}", with_live_values(&generated))
        }
    }
    .context("cannot generate completions")?;
    Ok(script)
}

/// Adapts nushell's completions: removes hidden commands and options, and lets nushell call the
/// program to complete each argument that has a completer.
fn with_live_values(generated: &str) -> String {
    let program = Cli::command();
    let hidden: Vec<String> = program
        .get_arguments()
        .filter(|argument| argument.is_hide_set())
        .filter_map(|argument| Some(format!("--{}", argument.get_long()?)))
        .collect();
    let mut alive_names = BTreeSet::new();
    with_completer(&program, &mut alive_names);
    let is_shown = |line: &&str| {
        let option = line.trim_start().split([' ', ':', '(']).next();
        !hidden.iter().any(|one| Some(one.as_str()) == option)
    };
    let blocks: Vec<String> = generated
        .split("\n\n")
        .filter(|block| !block.contains("runtime-module __"))
        .map(|block| {
            block
                .lines()
                .filter(is_shown)
                .map(|line| alive(line, &alive_names))
                .collect::<Vec<_>>()
                .join("\n")
        })
        .collect();
    let completer = format!(
        "  def \"nu-complete runtime-module live\" [context: string] {{\n    \
        with-env {{ {COMPLETE}: fish }} {{\n      \
        ^runtime-module -- ...($context | split row --regex '\\s+') | lines | split column \"\\t\" value description\n    }}\n  }}"
    );
    let (head, rest) = blocks.split_first().expect("there are completions");
    [head, completer.as_str(), &rest.join("\n\n")].join("\n\n") + "\n"
}

/// Collects the nushell names of all options and arguments that have a completer.
fn with_completer(command: &clap::Command, names: &mut BTreeSet<String>) {
    let live = |argument: &&clap::Arg| {
        argument.get::<ArgValueCandidates>().is_some()
            || argument.get::<ArgValueCompleter>().is_some()
    };
    names.extend(command.get_arguments().filter(live).map(|argument| {
        argument
            .get_long()
            .map_or_else(|| argument.get_id().to_string(), |long| format!("--{long}"))
    }));
    for command in command.get_subcommands() {
        with_completer(command, names);
    }
}

/// Adds the completer to a line of nushell's completions if the line defines one of these names.
fn alive(line: &str, names: &BTreeSet<String>) -> String {
    let name = line.trim_start().trim_start_matches("...");
    match name.split_once(": string") {
        Some((name, rest))
            if !rest.starts_with('@') && names.contains(name.trim_end_matches('?')) =>
        {
            line.replacen(
                ": string",
                ": string@\"nu-complete runtime-module live\"",
                1,
            )
        }
        _ => line.to_string(),
    }
}

/// Returns the names of all manual pages.
pub fn manual_pages() -> Vec<String> {
    pages().into_iter().map(|(name, _)| name).collect()
}

/// Generates the manual page with this name. Returns `None` if there is no such page.
pub fn manual_page(name: &str) -> Result<Option<Vec<u8>>> {
    let Some((_, command)) = pages().into_iter().find(|(page, _)| page == name) else {
        return Ok(None);
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(command)
        .title(name)
        .source(concat!("runtime-module ", env!("CARGO_PKG_VERSION")))
        .render(&mut text)
        .context("cannot generate a manual page")?;
    Ok(Some(text))
}

/// Returns the program and each of its commands, with the names of their manual pages.
fn pages() -> Vec<(String, clap::Command)> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let shown = program
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    let commands = shown.map(|command| (format!("{NAME}-{}", command.get_name()), command.clone()));
    std::iter::once((NAME.to_string(), program.clone()))
        .chain(commands)
        .collect()
}
