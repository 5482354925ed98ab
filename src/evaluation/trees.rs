//! Whose a file is: the user's own, another flake input's, nixpkgs' or this project's.
//!
//! Takes a request and files that an error names; says which place the user can do something about. Looks at files of trees
//! that are in the store already.

use std::path::{Path, PathBuf};

use super::Request;
use super::fetching::input_trees;
use crate::libnix::Position;
use crate::percent::decode;

/// Hash and dash in the name of a store path.
const HASHED: usize = 33;

/// Trees of one request.
pub(super) struct Trees {
    /// Where the flake lies, or the folder of the file that stands in its place.
    own: Option<PathBuf>,
    /// Modules that were added from elsewhere.
    added: Vec<PathBuf>,
    /// Trees of inputs, by name.
    inputs: Vec<(String, PathBuf)>,
}

impl Trees {
    /// The trees that a request is about.
    pub(super) fn of(request: &Request) -> Self {
        let own = match &request.flake.file {
            Some(file) => Path::new(&file.path).parent().map(Path::to_path_buf),
            None => in_reference(&request.flake.reference),
        };
        let added = request
            .extras
            .iter()
            .filter_map(|extra| match &extra.flake {
                Some(flake) => in_reference(&flake.reference),
                None => extra.path.as_ref().map(PathBuf::from),
            });
        let replaced = request
            .flake
            .overrides
            .iter()
            .filter_map(|(name, reference)| Some((name.clone(), in_reference(reference)?)));
        let locked = own.as_deref().map(|own| {
            let folder = super::directory(&request.flake.reference);
            input_trees(own, &own.join(folder).join("flake.lock"))
        });
        Self {
            inputs: replaced.chain(locked.unwrap_or_default()).collect(),
            added: added.collect(),
            own,
        }
    }

    /// The place that the user can do most about, of those on the way to an error, the nearest first: one in the user's own
    /// files, else one in an input other than nixpkgs, else the nearest.
    pub(super) fn best<'a>(&self, places: &[&'a Position]) -> Option<&'a Position> {
        let rank = |position: &Position| self.rank(Path::new(&position.file));
        // The first of several that are equal.
        places.iter().min_by_key(|place| rank(place)).copied()
    }

    fn rank(&self, file: &Path) -> u8 {
        if !file.is_absolute() || is_ours(file) {
            return 3;
        }
        if self.is_own(file) || self.added.iter().any(|added| file.starts_with(added)) {
            return 0;
        }
        match top(file).is_some_and(is_nixpkgs) {
            true => 2,
            false => 1,
        }
    }

    fn is_own(&self, file: &Path) -> bool {
        self.own.as_ref().is_some_and(|own| file.starts_with(own))
    }

    /// A file in the user's own tree, from its top.
    pub(super) fn inside<'a>(&self, file: &'a Path) -> Option<&'a Path> {
        file.strip_prefix(self.own.as_ref()?).ok()
    }

    /// The user's own tree.
    pub(super) fn own(&self) -> Option<&Path> {
        self.own.as_deref()
    }

    /// The input that a file lies in, and the file from the top of that.
    pub(super) fn input<'a>(&'a self, file: &'a Path) -> Option<(&'a str, &'a Path)> {
        self.inputs
            .iter()
            .find_map(|(name, tree)| Some((name.as_str(), file.strip_prefix(tree).ok()?)))
    }
}

/// The folder that a `path:` reference names.
fn in_reference(reference: &str) -> Option<PathBuf> {
    let path = reference.strip_prefix("path:")?;
    let path = path.split(['?', '#']).next()?;
    Some(PathBuf::from(decode(path)))
}

/// The top of the tree in the store that a file is in.
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

/// Whether a file belongs to this project's own NixOS module.
fn is_ours(file: &Path) -> bool {
    file.ancestors().skip(1).take(2).any(|folder| {
        folder.ends_with("runtime-modules") && folder.join("config.schema.json").exists()
    })
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
    fn the_users_own_files_come_first_then_other_inputs() {
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
