//! Classifies files: files of the user, of another flake input, of nixpkgs, or of this project.
//!
//! Takes a request and the files that an error names; selects the position that the user can most
//! likely change. Reads files, but fetches nothing.

use std::path::{Path, PathBuf};

use super::fetching::input_trees;
use super::{EvaluationRequest, EvaluationSource};
use crate::libnix::Position;
use crate::percent::decode;
use crate::reference::directory;

/// Length of the hash and dash in the name of a store path.
const HASHED: usize = 33;

/// The source trees of a request.
pub(super) struct Trees {
    /// Store path of the flake, or the folder of the file.
    own: Option<PathBuf>,
    /// Paths of the modules that are not part of the configuration.
    added: Vec<PathBuf>,
    /// Names and trees of inputs.
    inputs: Vec<(String, PathBuf)>,
}

impl Trees {
    pub(super) fn of(request: &EvaluationRequest) -> Self {
        let flake = request.source.flake();
        let own = match &request.source {
            EvaluationSource::Flake(flake) => in_reference(&flake.reference),
            EvaluationSource::File(file) => Path::new(&file.path).parent().map(Path::to_path_buf),
        };
        let added = request
            .extras
            .iter()
            .filter_map(|extra| match &extra.flake {
                Some(flake) => in_reference(&flake.reference),
                None => extra.path.as_ref().map(PathBuf::from),
            });
        let replaced = flake.iter().flat_map(|flake| &flake.input_overrides);
        let replaced =
            replaced.filter_map(|(name, reference)| Some((name.clone(), in_reference(reference)?)));
        let locked = own.as_deref().map(|own| {
            let folder = flake.map_or("", |flake| directory(&flake.reference));
            input_trees(own, &own.join(folder).join("flake.lock"))
        });
        Self {
            inputs: replaced.chain(locked.unwrap_or_default()).collect(),
            added: added.collect(),
            own,
        }
    }

    /// Selects the position that the user can most likely change. Prefers the user's own files,
    /// then inputs other than nixpkgs, then the nearest position. `places` has the nearest position
    /// first.
    pub(super) fn best<'a>(&self, places: &[&'a Position]) -> Option<&'a Position> {
        let rank = |position: &Position| self.rank(Path::new(&position.file));
        // `min_by_key` returns the first of several equal positions.
        places.iter().min_by_key(|place| rank(place)).copied()
    }

    fn rank(&self, file: &Path) -> u8 {
        if !file.is_absolute() || is_ours(file) {
            return 3;
        }
        if self.is_users(file) {
            return 0;
        }
        match top(file).is_some_and(is_nixpkgs) {
            true => 2,
            false => 1,
        }
    }

    /// Returns whether a file belongs to the user: to the flake, or to a module that was added to
    /// it.
    pub(super) fn is_users(&self, file: &Path) -> bool {
        !is_ours(file)
            && (self.is_own(file) || self.added.iter().any(|added| file.starts_with(added)))
    }

    /// Returns whether a message names a file of the user.
    pub(super) fn names_users_file(&self, message: &str) -> bool {
        let tops = self.own.iter().chain(&self.added);
        tops.filter_map(|top| top.to_str())
            .any(|top| message.contains(top))
    }

    fn is_own(&self, file: &Path) -> bool {
        self.own.as_ref().is_some_and(|own| file.starts_with(own))
    }

    /// Returns the path of a file relative to the user's own tree, or `None` if the file is outside it.
    pub(super) fn inside<'a>(&self, file: &'a Path) -> Option<&'a Path> {
        file.strip_prefix(self.own.as_ref()?).ok()
    }

    /// Returns the user's own tree.
    pub(super) fn own(&self) -> Option<&Path> {
        self.own.as_deref()
    }

    /// Returns the input that contains a file, and the path of the file in it.
    pub(super) fn input<'a>(&'a self, file: &'a Path) -> Option<(&'a str, &'a Path)> {
        self.inputs
            .iter()
            .find_map(|(name, tree)| Some((name.as_str(), file.strip_prefix(tree).ok()?)))
    }
}

/// Returns the folder of a `path:` reference.
fn in_reference(reference: &str) -> Option<PathBuf> {
    let path = reference.strip_prefix("path:")?;
    let path = path.split(['?', '#']).next()?;
    Some(PathBuf::from(decode(path)))
}

/// Returns the store path that contains a file.
fn top(file: &Path) -> Option<&Path> {
    file.ancestors().find(|folder| {
        let name = folder.file_name().unwrap_or_default().as_encoded_bytes();
        let (hash, rest) = name.split_at(name.len().min(HASHED));
        !rest.is_empty()
            && hash.last() == Some(&b'-')
            && hash[..HASHED - 1]
                .iter()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

fn is_nixpkgs(top: &Path) -> bool {
    top.join("nixos/lib/eval-config.nix").exists() && top.join("pkgs/top-level").exists()
}

/// Returns whether a file belongs to this project's NixOS module.
fn is_ours(file: &Path) -> bool {
    file.ancestors().skip(1).take(2).any(|folder| {
        folder.ends_with("runtime-modules") && folder.join("config.schema.json").exists()
    })
}

/// Removes the store path of the source tree from a file name. For a single file in the store, only
/// its name without the hash remains.
pub(super) fn in_source(file: &str) -> &str {
    const HASH: usize = 32;
    if let Some((_, inside)) = file.split_once("-source/") {
        return inside;
    }
    let hashed = file.match_indices('/').find_map(|(at, _)| {
        let rest = &file[at + 1..];
        let hash = rest.get(..HASH)?;
        let plain = hash
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        (plain && rest.as_bytes().get(HASH) == Some(&b'-')).then(|| &rest[HASH + 1..])
    });
    hashed.unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(file: &str) -> Position {
        Position {
            file: file.into(),
            line: 1,
            column: 1,
        }
    }

    #[test]
    fn users_own_files_come_before_inputs() {
        let store = tempfile::tempdir().expect("a folder");
        let tree = |name: &str| {
            let hash: String = name.chars().cycle().take(HASHED - 1).collect();
            store.path().join(format!("{hash}-source"))
        };
        let nixpkgs = tree("n");
        std::fs::create_dir_all(nixpkgs.join("nixos/lib")).expect("a folder");
        std::fs::create_dir_all(nixpkgs.join("pkgs/top-level")).expect("a folder");
        std::fs::write(nixpkgs.join("nixos/lib/eval-config.nix"), "").expect("written");
        let trees = Trees {
            own: Some(tree("a")),
            added: vec![tree("m").join("x.nix")],
            inputs: vec![("site".into(), tree("b"))],
        };
        let at = |folder: &Path, file: &str| position(&folder.join(file).to_string_lossy());
        let own = at(&tree("a"), "host.nix");
        let library = at(&nixpkgs, "lib/modules.nix");
        let input = at(&tree("b"), "default.nix");
        let added = at(&tree("m"), "x.nix");
        let expression = position("system.nix");
        assert_eq!(trees.best(&[&library, &input, &own]), Some(&own));
        assert_eq!(trees.best(&[&library, &input]), Some(&input));
        assert_eq!(trees.best(&[&expression, &library]), Some(&library));
        assert_eq!(trees.best(&[&library, &added, &own]), Some(&added));
        assert_eq!(trees.best(&[]), None);
        let (name, file) = trees.input(Path::new(&input.file)).expect("an input");
        assert_eq!((name, file), ("site", Path::new("default.nix")));
    }
}
