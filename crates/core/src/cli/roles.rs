//! The command lines of roles. They come from our own processes, systemd and an activation script.
//!
//! This parser does not build clap's commands, so that a process that runs as root does not hold
//! the description of all commands in memory.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::{Error, ErrorKind};

use crate::role::Role;

/// The command line of a role.
#[derive(Debug)]
pub(super) struct RoleArguments {
    pub(super) role: Role,
    pub(super) root: Option<PathBuf>,
}

/// Parses the command line of a role. Returns `None` if the command is not a role.
pub(super) fn read(arguments: &[OsString]) -> Option<Result<RoleArguments, Error>> {
    let name = arguments.first()?.to_str()?;
    let is_role = [
        "__evaluate",
        "__template",
        "__activate",
        "__transact",
        "__expire",
        "__switched",
        "__watch",
    ];
    is_role
        .contains(&name)
        .then(|| parse(name, &arguments[1..]))
}

fn parse(name: &str, arguments: &[OsString]) -> Result<RoleArguments, Error> {
    let wrong = |what: &str| {
        Error::raw(
            ErrorKind::InvalidValue,
            format!("cannot run {name}: {what}\n"),
        )
    };
    let (mut root, mut after_switch) = (std::env::var_os("RUNTIME_MODULE_ROOT"), false);
    let mut values = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.to_str() {
            Some("--after") => after_switch = true,
            Some("--root") => root = rest.next().cloned(),
            // Roles do not show progress, so ignore this option.
            Some("--progress") => drop(rest.next()),
            Some(flag) if flag.starts_with('-') => return Err(wrong("an option is unknown")),
            _ => values.push(argument),
        }
    }
    let text = |index: usize| values.get(index).and_then(|value| value.to_str());
    let transaction = || {
        let name = text(0).ok_or_else(|| wrong("no transaction was given"))?;
        Ok::<_, Error>(name.to_string())
    };
    let role = match name {
        "__evaluate" => Role::Evaluator,
        "__template" => Role::Template,
        "__activate" => Role::Relay,
        "__watch" => Role::Watch,
        "__transact" => Role::Activator {
            transaction: transaction()?,
        },
        "__expire" => Role::Timer {
            transaction: transaction()?,
            wait: match text(1).map(str::parse) {
                None => Duration::ZERO,
                Some(seconds) => {
                    Duration::from_secs(seconds.map_err(|_| wrong("the time is not a number"))?)
                }
            },
            after_switch,
        },
        _ => Role::SwitchedElsewhere {
            toplevel: values.first().map(PathBuf::from),
        },
    };
    let root = root.filter(|root| !root.is_empty()).map(PathBuf::from);
    Ok(RoleArguments { role, root })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_words(words: &[&str]) -> Option<Result<RoleArguments, Error>> {
        let arguments: Vec<OsString> = words.iter().map(OsString::from).collect();
        read(&arguments)
    }

    #[test]
    fn timer_has_a_transaction_a_time_and_a_root() {
        let read = read_words(&["__expire", "1-2", "30", "--after", "--root", "/x"]);
        let read = read.expect("a role").expect("no error");
        assert_eq!(read.root, Some("/x".into()));
        assert!(
            matches!(&read.role, Role::Timer { transaction, wait, after_switch: true }
                if transaction == "1-2" && *wait == Duration::from_secs(30)),
            "{read:?}"
        );
    }

    #[test]
    fn malformed_command_lines_are_refused() {
        for words in [
            &["__transact"][..],
            &["__expire", "1-2", "soon"],
            &["__activate", "--json"],
        ] {
            let error = read_words(words).expect("a role").expect_err("refused");
            assert!(error.to_string().contains("cannot run __"), "{error}");
        }
        assert!(read_words(&["enable", "__activate"]).is_none());
        assert!(read_words(&[]).is_none());
    }
}
