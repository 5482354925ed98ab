//! Prints clap's messages: help and version on stdout, and usage errors on stderr or as JSON.

use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::Cli;
use crate::error::{ArgumentError, Failed, Failure};

/// A message from clap: the help, the version, or an error in the arguments.
#[derive(Debug)]
pub struct Usage(clap::Error);

impl Usage {
    /// Removes hidden commands and options from clap's suggestions.
    pub(super) fn of(mut error: clap::Error) -> Self {
        if let Some(ContextValue::Strings(names)) = error.get(ContextKind::ValidSubcommand) {
            let shown = names.iter().filter(|name| !name.starts_with("__")).cloned();
            let shown = ContextValue::Strings(shown.collect());
            error.insert(ContextKind::ValidSubcommand, shown);
        }
        if let Some(ContextValue::String(option)) = error.get(ContextKind::SuggestedArg) {
            let program = Cli::command();
            let hidden = program.get_arguments().filter(|one| one.is_hide_set());
            let mut names = hidden.filter_map(clap::Arg::get_long);
            if names.any(|name| option.strip_prefix("--") == Some(name)) {
                error.remove(ContextKind::SuggestedArg);
            }
        }
        Self(error)
    }

    /// Returns whether the message is an error, and not the help or the version.
    pub fn is_error(&self) -> bool {
        self.0.use_stderr()
    }

    /// Returns the error to print in our own format. Returns `None` if clap's format is better.
    pub fn own_form(&self, json: bool) -> Option<Failed> {
        if self.0.kind() == ErrorKind::InvalidUtf8 {
            return Some(not_text());
        }
        (self.is_error() && json).then(|| self.first_paragraph())
    }

    /// Prints the message in clap's format.
    pub fn print(&self) {
        // Ignore errors: even if stdout is closed, the exit code is correct.
        let _ = self.0.print();
    }

    /// Returns the first paragraph, which contains the error and its arguments. The other
    /// paragraphs show the usage.
    fn first_paragraph(&self) -> Failed {
        let text = self.0.render().to_string();
        let mut lines = text.lines().take_while(|line| !line.is_empty());
        let message = lines.next().unwrap_or_default();
        let message = message.trim_start_matches("error: ").trim_end_matches(':');
        let failed = Failed {
            failure: Failure::Usage,
            message: message.into(),
            details: Vec::new(),
            hints: Vec::new(),
            places: Vec::new(),
            by_configuration: false,
        };
        lines.fold(failed, |failed, line| failed.detail(line.trim()))
    }
}

/// Returns the error for an argument that is not UTF-8. clap's own error does not name the
/// argument.
fn not_text() -> Failed {
    let odd = std::env::args_os().find(|argument| argument.to_str().is_none());
    let argument = odd.map(|odd| odd.display().to_string()).unwrap_or_default();
    ArgumentError::NotUtf8 { argument }.into()
}
