//! The result of all edits: the definitions that can still have an effect.
//!
//! No definition is ever below the path of a replacing definition. The definition of the ancestor
//! would win as a whole, so a later change below its path is written into its value or becomes a
//! merge at its path. For this reason, the work for an edit and for an evaluation depends on the
//! number of overridden options and merges, but not on the number of past generations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fold::{add, can_add, contains, entry, nested, remove, remove_replaced};
use super::nesting::check_nested;
use super::{Definition, Edit, Mode, StringDependency, check_path, check_value};
use crate::attributes::written;
use crate::error::{Failed, Message as _, OverrideError};
use crate::quoting::for_shell;
use crate::registry::nearest;

/// The overrides after a generation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverrideState {
    /// The number of the last generation; 0 before the first generation.
    pub generation: u64,
    /// The definitions now in force, in the order in which they are merged.
    pub definitions: Vec<Definition>,
    /// The definitions in force after a reboot: the result of the persistent definitions alone. A
    /// definition that is not persistent hides them until the reboot, but does not remove them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Definition>,
}

/// The maximum number of merges at one path, not counting merges that became part of a replacing
/// value.
const MERGES: usize = 1000;

/// Returns the definitions that stay in force after a reboot. If `kept` is empty, an earlier
/// version may have written the record. In this case, returns the persistent definitions among
/// those in force.
fn kept_or_persistent(kept: &[Definition], definitions: &[Definition]) -> Vec<Definition> {
    match kept {
        [] => definitions
            .iter()
            .filter(|one| one.persist)
            .cloned()
            .collect(),
        kept => kept.to_vec(),
    }
}

impl OverrideState {
    /// Returns whether both states define the same values with the same priorities, regardless of
    /// the generations that added them.
    pub fn has_same_definitions(&self, other: &Self) -> bool {
        let neutral = |definitions: &[Definition]| -> Vec<Definition> {
            let definitions = definitions.iter().cloned();
            let neutral = definitions.map(|one| Definition {
                generation: 0,
                ..one
            });
            neutral.collect()
        };
        neutral(&self.definitions) == neutral(&other.definitions)
    }

    /// Returns the overrides after an edit. The edit becomes generation `number`.
    pub fn apply(&self, edit: &Edit, number: u64) -> Result<Self, Failed> {
        let mut next = self.clone();
        next.advance(edit, number)?;
        Ok(next)
    }

    /// Returns the store paths that the definitions need now or after a reboot.
    pub fn required_paths(&self) -> impl Iterator<Item = &str> {
        let all = self.definitions.iter().chain(&self.kept);
        all.flat_map(|one| &one.store_paths)
            .map(StringDependency::required)
    }

    /// Returns the store paths that the definitions need after a reboot.
    pub fn required_after_reboot(&self) -> impl Iterator<Item = &str> {
        let kept = self.kept.iter().flat_map(|one| &one.store_paths);
        kept.map(StringDependency::required)
    }

    /// Returns the definitions after a reboot, even if an earlier version wrote the record without
    /// them.
    pub fn kept(&self) -> Vec<Definition> {
        kept_or_persistent(&self.kept, &self.definitions)
    }

    /// Applies an edit. If this fails, the state is incomplete and must not be used.
    pub(super) fn advance(&mut self, edit: &Edit, number: u64) -> Result<(), Failed> {
        let mut kept = Self {
            definitions: self.kept(),
            ..Self::default()
        };
        match edit {
            Edit::Set { definitions } => {
                let persistent = definitions.iter().filter(|one| one.persist);
                let definitions = persistent.cloned().collect();
                kept.change(&Edit::Set { definitions }, number)?;
            }
            Edit::Unset { paths } => kept.remove_below(paths),
            Edit::Rollback {
                definitions,
                kept: recorded,
                ..
            } => kept.definitions = kept_or_persistent(recorded, definitions),
            Edit::Reset => kept.definitions.clear(),
        }
        self.kept = kept.definitions;
        self.change(edit, number)
    }

    /// Applies an edit to the definitions now in force.
    fn change(&mut self, edit: &Edit, number: u64) -> Result<(), Failed> {
        match edit {
            Edit::Set { definitions } => {
                for wanted in definitions {
                    check_path(&wanted.path)?;
                    check_value(&wanted.path, &wanted.value)?;
                    self.set(Definition {
                        generation: number,
                        ..wanted.clone()
                    })?;
                }
            }
            Edit::Unset { paths } => self.unset(paths)?,
            Edit::Rollback { definitions, .. } => self.definitions.clone_from(definitions),
            Edit::Reset => self.definitions.clear(),
        }
        self.generation = number;
        Ok(())
    }

    fn set(&mut self, new: Definition) -> Result<(), Failed> {
        if let (Mode::Merge, Some(priority)) = (new.mode, new.priority) {
            let option = written(&new.path);
            return Err(OverrideError::PriorityOfMerge { option, priority }.into());
        }
        let above = |one: &Definition| {
            one.mode == Mode::Replace
                && one.path.len() < new.path.len()
                && new.path.starts_with(&one.path)
        };
        match self.definitions.iter().position(above) {
            Some(ancestor) => self.nest(ancestor, new),
            None if new.mode == Mode::Replace => self.replace(new),
            None => self.merge(new),
        }
    }

    /// Adds a replacing definition. Removes all definitions at its path and below.
    fn replace(&mut self, mut new: Definition) -> Result<(), Failed> {
        let here = self.definitions.iter().filter(|one| one.path == new.path);
        let head = here.filter_map(|one| one.priority).min();
        new.priority = match (new.priority, head) {
            (Some(own), Some(head)) if own >= head => return Err(too_weak(&new.path, own, head)),
            (Some(own), _) => Some(own),
            (None, _) => Some(self.next_priority(&new.path)?),
        };
        self.definitions
            .retain(|one| !one.path.starts_with(&new.path));
        self.definitions.push(new);
        Ok(())
    }

    /// Returns a priority that is stronger than the priorities of all definitions.
    fn next_priority(&self, path: &[String]) -> Result<i64, Failed> {
        let all = self.definitions.iter();
        let strongest = all
            .filter_map(|one| Some((one.priority?, one)))
            .min_by_key(|(priority, _)| *priority);
        let Some((priority, holder)) = strongest else {
            return Ok(-1);
        };
        let next = priority.checked_sub(1).map(|next| next.min(-1));
        next.ok_or_else(|| {
            let other = written(&holder.path);
            OverrideError::NoStrongerPriority {
                option: written(path),
                quoted: for_shell(&other),
                other,
                priority,
            }
            .into()
        })
    }

    /// Adds a merge. If the result is the same, writes the merge into the value of the preceding
    /// replacing definition instead.
    fn merge(&mut self, new: Definition) -> Result<(), Failed> {
        let mut here = self
            .definitions
            .iter_mut()
            .filter(|one| one.path == new.path);
        if let Some(last) = here.next_back()
            && last.mode == Mode::Replace
            && last.persist == new.persist
            && can_add(&last.value, &new.value)
        {
            add(&mut last.value, new.value);
            last.add_store_paths(new.store_paths);
            last.generation = new.generation;
            return check_value(&new.path, &last.value);
        }
        self.push_merge(new)
    }

    fn push_merge(&mut self, new: Definition) -> Result<(), Failed> {
        let merges = |one: &&Definition| one.mode == Mode::Merge && one.path == new.path;
        if self.definitions.iter().filter(merges).count() >= MERGES {
            let option = written(&new.path);
            return Err(OverrideError::TooManyMerges {
                quoted: for_shell(&option),
                option,
                merges: MERGES,
            }
            .into());
        }
        self.definitions.push(new);
        Ok(())
    }

    /// Adds a definition to an existing override of an enclosing option, by changing the value of
    /// that override.
    fn nest(&mut self, index: usize, new: Definition) -> Result<(), Failed> {
        let ancestor = &self.definitions[index];
        check_nested(ancestor, &new)?;
        let path = ancestor.path.clone();
        let rest = &new.path[path.len()..];
        let merged = |one: &Definition| one.mode == Mode::Merge && one.path == path;
        if new.mode == Mode::Merge && self.definitions.iter().any(merged) {
            return self.nest_merge(&path, new);
        }
        for one in self.definitions.iter_mut().filter(|one| merged(one)) {
            remove(&mut one.value, rest);
        }
        // A replacing definition precedes its merges in the list, so its index stays valid.
        self.drop_empty_merges(&path);
        let ancestor = &mut self.definitions[index];
        ancestor.generation = new.generation;
        if let Some(place) = entry(&mut ancestor.value, rest) {
            match new.mode {
                Mode::Replace => *place = new.value,
                Mode::Merge => add(place, new.value),
            }
        }
        ancestor.add_store_paths(new.store_paths);
        check_value(&path, &ancestor.value)
    }

    /// Adds a merge below an overridden ancestor that has merges itself. The new merge comes after
    /// these merges, and replaces the same parts as if it were written into their values.
    fn nest_merge(&mut self, path: &[String], new: Definition) -> Result<(), Failed> {
        let value = nested(&new.path[path.len()..], new.value);
        check_value(path, &value)?;
        for one in self.definitions.iter_mut().filter(|one| one.path == path) {
            // A merge whose value is not an attribute set stays unchanged. The evaluation reports
            // the conflict.
            remove_replaced(&mut one.value, &value);
        }
        self.drop_empty_merges(path);
        self.push_merge(Definition {
            path: path.to_vec(),
            value,
            ..new
        })
    }

    /// Removes empty merges at a path.
    fn drop_empty_merges(&mut self, path: &[String]) {
        let empty = |one: &Definition| one.value.as_object().is_some_and(serde_json::Map::is_empty);
        self.definitions
            .retain(|one| one.mode != Mode::Merge || one.path != path || !empty(one));
    }

    /// Removes all definitions at these paths and below.
    fn unset(&mut self, paths: &[Vec<String>]) -> Result<(), Failed> {
        for path in paths {
            check_path(path)?;
            if !self
                .definitions
                .iter()
                .any(|one| one.path.starts_with(path))
            {
                return Err(self.not_set(path));
            }
        }
        self.remove_below(paths);
        Ok(())
    }

    fn remove_below(&mut self, paths: &[Vec<String>]) {
        self.definitions
            .retain(|one| !paths.iter().any(|path| one.path.starts_with(path)));
    }

    /// Returns the error for a path that has no definition.
    fn not_set(&self, path: &[String]) -> Failed {
        let option = written(path);
        let holds = |one: &&Definition| {
            let part = path.strip_prefix(one.path.as_slice());
            part.is_some_and(|part| one.mode == Mode::Replace || contains(&one.value, part))
        };
        if let Some(one) = self.definitions.iter().find(holds) {
            let above = written(&one.path);
            return OverrideError::PartOfOverride {
                option,
                quoted: for_shell(&above),
                above,
            }
            .into();
        }
        let set: Vec<String> = self
            .definitions
            .iter()
            .map(|one| written(&one.path))
            .collect();
        let mut close = nearest(&option, &set);
        close.dedup();
        let error = OverrideError::NotOverridden { option };
        match close.as_slice() {
            [] if set.is_empty() => error.detail("no option is overridden"),
            [] => error.hint("run `runtime-module overrides` to list the overridden options"),
            close => error.hint(format!("did you mean {}?", close.join(" or "))),
        }
    }
}

fn too_weak(path: &[String], priority: i64, present: i64) -> Failed {
    let option = written(path);
    let error = OverrideError::PriorityTooWeak {
        option,
        priority,
        present,
    };
    error.hint(match present.checked_sub(1) {
        Some(next) => format!("use --priority={next} or a smaller number, or omit --priority"),
        None => "unset the option first; no priority is stronger".into(),
    })
}

#[cfg(test)]
mod tests;
