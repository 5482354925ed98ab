//! Events that libnix reports while it works.

use serde::{Deserialize, Serialize};

use crate::NixError;

/// A report from libnix about its work. Activity numbers are unique across the processes of a
/// machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A line for the user, with a verbosity from 0 (error) to 7. All lines from a daemon have
    /// verbosity 0.
    Message {
        /// The verbosity.
        level: u8,
        /// The line, possibly with terminal escapes.
        text: String,
    },
    /// An error or warning that libnix reported instead of throwing it.
    Error {
        /// The error.
        error: NixError,
    },
    /// An activity starts.
    Start {
        /// The activity's number.
        id: u64,
        /// The kind of activity.
        activity: Activity,
        /// Nix's description; often empty.
        text: String,
        /// The parent activity; 0 for none.
        parent: u64,
    },
    /// An activity ends.
    Stop {
        /// The activity's number.
        id: u64,
    },
    /// An activity makes progress.
    Progress {
        /// The activity's number.
        id: u64,
        /// The progress.
        progress: Progress,
    },
}

/// The kind and subject of an activity. Store paths and URIs are strings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "the names are Nix's own and need no explanation"
)]
pub enum Activity {
    /// A path is copied between stores.
    CopyPath {
        path: String,
        from: String,
        to: String,
    },
    /// A download.
    FileTransfer { uri: String },
    /// A build call as a whole.
    Realise,
    /// All substitutions of a build call.
    CopyPaths,
    /// All builds of a build call.
    Builds,
    /// A build; `machine` is empty for a local one.
    Build { derivation: String, machine: String },
    /// A path is fetched from a substituter.
    Substitute { path: String, from: String },
    /// A query to a substituter about a path.
    QueryPathInfo { path: String, from: String },
    /// A build waits for a free slot.
    BuildWaiting,
    /// An input is fetched.
    FetchTree,
    /// Any other activity, by Nix's number.
    Other { number: i32 },
}

/// The progress of an activity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "progress", rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "the names are Nix's own and need no explanation"
)]
pub enum Progress {
    /// A line of a build's log.
    LogLine { line: String },
    /// The phase of a build.
    Phase { phase: String },
    /// The amounts done, expected, running and failed: bytes for transfers, goals for `Builds` and
    /// `CopyPaths`.
    Amount {
        done: u64,
        expected: u64,
        running: u64,
        failed: u64,
    },
    /// The expected total for a kind of activity below this activity, such as bytes to download.
    /// The total grows while libnix finds more goals.
    Expected { what: ExpectedKind, amount: u64 },
    /// Any other progress, by Nix's number.
    Other { number: i32 },
}

/// Kinds of activity with an expected total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "the names are Nix's own and need no explanation"
)]
pub enum ExpectedKind {
    CopyPath,
    FileTransfer,
    Build,
    Other,
}

/// Returns the file that libnix reports as being evaluated, if the event is such a report.
pub fn evaluated_file(event: &Event) -> Option<&str> {
    match event {
        Event::Message { text, .. } => text.strip_prefix("evaluating file '")?.strip_suffix('\''),
        _ => None,
    }
}
