//! The texts of commands that start guests.

use std::io::{IsTerminal as _, Write as _};

use runtime_module_core::error::neutral;
use runtime_module_core::progress::for_stderr;

use crate::protocol::{GuestState, ReachedMilestone};

/// Prints a line on stderr. The terminal can be in raw mode, so the line ends with a carriage
/// return too.
pub fn line(text: &str, raw: bool) {
    let end = if raw { "\r\n" } else { "\n" };
    let text = for_stderr(text).replace('\n', end);
    let _ = write!(std::io::stderr(), "{text}{end}");
}

/// Returns whether the user sees what is printed on stderr.
pub fn is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Describes the hardware of a guest.
pub fn hardware(state: &GuestState) -> String {
    let accelerator = match &state.accelerator {
        None => "starting".to_string(),
        Some(choice) => match &choice.reason {
            None => "KVM".to_string(),
            Some(reason) => format!("TCG, without KVM ({})", neutral(reason)),
        },
    };
    let cpus = match state.cpus {
        1 => "1 CPU".to_string(),
        count => format!("{count} CPUs"),
    };
    format!(
        "{}: {accelerator}, {cpus}, {} MiB",
        state.name, state.memory
    )
}

/// Describes a milestone.
pub fn milestone(reached: ReachedMilestone) -> String {
    let ReachedMilestone { name, seconds } = reached;
    format!("{seconds:8.2} s  {}", name.means())
}
