//! Describes edits and overrides in messages.

use super::{Definition, Edit, Mode, OverrideState};
use crate::attributes::written;

/// The maximum number of paths to name in a description.
const NAMED: usize = 8;

impl Edit {
    /// Describes the edit, such as `set services.x.port, y.z`.
    pub fn words(&self) -> String {
        match self {
            Edit::Set { definitions } => set_words(definitions),
            Edit::Unset { paths } => format!("unset {}", list(paths.iter())),
            Edit::Rollback { to, .. } => format!("roll back overrides to generation {to}"),
            Edit::Reset => "remove all overrides".into(),
        }
    }
}

fn set_words(definitions: &[Definition]) -> String {
    let of = |mode: Mode, verb: &str| {
        let here = definitions.iter().filter(|one| one.mode == mode);
        let paths: Vec<_> = here.map(|one| &one.path).collect();
        (!paths.is_empty()).then(|| format!("{verb} {}", list(paths.into_iter())))
    };
    let parts = [of(Mode::Replace, "set"), of(Mode::Merge, "merge into")];
    match parts {
        [None, None] => "set nothing".into(),
        parts => parts.into_iter().flatten().collect::<Vec<_>>().join("; "),
    }
}

/// Formats the first paths, and the number of the remaining paths.
fn list<'a>(paths: impl ExactSizeIterator<Item = &'a Vec<String>>) -> String {
    let others = paths.len().saturating_sub(NAMED);
    let mut words: Vec<String> = paths.take(NAMED).map(|path| written(path)).collect();
    if others > 0 {
        words.push(format!("{others} more"));
    }
    words.join(", ")
}

impl OverrideState {
    /// Returns whether no option is overridden.
    pub fn is_empty(&self) -> bool {
        self.definitions.is_empty()
    }

    /// Returns whether no option is overridden, either now or after a reboot.
    pub fn holds_nothing(&self) -> bool {
        self.definitions.is_empty() && self.kept.is_empty()
    }

    /// Lists the overridden options.
    pub fn words(&self) -> String {
        let mut paths: Vec<_> = self.definitions.iter().map(|one| &one.path).collect();
        paths.dedup();
        list(paths.into_iter())
    }
}
