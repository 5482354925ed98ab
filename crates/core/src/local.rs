//! In local flake references, resolves the symbolic links that Nix itself does not follow.
//!
//! Takes a reference and the folder that it is relative to. Returns the reference for libnix. If a
//! link was followed, also returns the reference to remember, which contains the path of the link.
//! Reads the file system, but fetches nothing. `docs/sources.md` lists the supported links.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::percent::{decode, encode};

/// The file that makes a folder a flake.
const FLAKE: &str = "flake.nix";

/// A parsed reference to a local folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalReference {
    /// A `path:` reference, or a plain path, which may be in a git tree.
    scheme: Scheme,
    /// The absolute path. `.` and `..` were resolved lexically, as in Nix.
    pub path: PathBuf,
    /// The parameters after the `?`, split at `&`.
    query: Vec<String>,
    /// The part after the `#`.
    pub fragment: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Plain,
    Path,
}

/// A flake reference after its symbolic links were followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedReference {
    /// The reference for libnix.
    pub reference: String,
    /// The reference to remember, so that the next `rebuild` follows the link again; `None` if
    /// there was no link.
    pub remembered: Option<String>,
}

/// Follows the links in a local reference. Returns other references unchanged.
pub fn resolve(reference: &str, base: &Path) -> ResolvedReference {
    let followed = LocalReference::parse(reference, base).and_then(|local| {
        let real = local.follow()?;
        Some(ResolvedReference {
            reference: real.written()?,
            remembered: LocalReference {
                fragment: None,
                ..local
            }
            .written(),
        })
    });
    followed.unwrap_or_else(|| ResolvedReference::of(reference))
}

impl ResolvedReference {
    /// Wraps a reference that stays unchanged.
    pub fn of(reference: &str) -> Self {
        Self {
            reference: reference.into(),
            remembered: None,
        }
    }
}

/// Converts a reference to a `git+file:` URL if it is the path of a folder in a git tree.
pub fn as_git(reference: &str) -> Option<String> {
    let local = LocalReference::parse(reference, Path::new("/"))?;
    let local = local.follow().unwrap_or(local);
    let top = git_tree(&local.path).filter(|_| local.scheme == Scheme::Plain)?;
    let inside = local.path.strip_prefix(top).ok()?.to_str()?;
    let dir = Some(format!("dir={}", encode(inside))).filter(|_| !inside.is_empty());
    let query: Vec<String> = local.query.into_iter().chain(dir).collect();
    let query = Some(query.join("&")).filter(|query| !query.is_empty());
    Some(format!(
        "git+file://{}{}",
        encode(top.to_str()?),
        query.map_or_else(String::new, |query| format!("?{query}"))
    ))
}

/// Returns the folder of the flake in `/etc/nixos`. If `flake.nix` is a link, `nixos-rebuild` uses
/// the folder of the link's target. This function follows such a link only within the same tree.
/// [`resolve`] follows the other links later, and again at each `rebuild`.
pub fn usual_folder(folder: &Path) -> PathBuf {
    let inside = || {
        let real = folder.join(FLAKE).canonicalize().ok()?;
        let (home, top) = (real.parent()?, folder.canonicalize().ok()?);
        let tree = git_tree(&top).unwrap_or(&top);
        (home != top && home.starts_with(tree)).then(|| home.to_path_buf())
    };
    inside().unwrap_or_else(|| folder.into())
}

impl LocalReference {
    /// Returns the parameters of the reference.
    pub fn query(&self) -> impl Iterator<Item = &str> {
        self.query.iter().map(String::as_str)
    }

    /// Parses a reference to a local folder: a plain path, or an absolute `path:` URL. Returns
    /// `None` for other references. As in Nix, a registry entry or a URL takes precedence over a
    /// plain path.
    pub fn parse(reference: &str, base: &Path) -> Option<Self> {
        let (scheme, rest) = match reference.strip_prefix("path:") {
            Some(rest) if rest.starts_with('/') => (Scheme::Path, rest),
            Some(_) => return None,
            None if is_id(reference) || is_url(reference) => return None,
            None => (Scheme::Plain, reference),
        };
        let (rest, fragment) = match rest.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment.to_string())),
            None => (rest, None),
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = match scheme {
            Scheme::Plain => path.to_string(),
            Scheme::Path => decode(path),
        };
        Some(Self {
            scheme,
            path: lexical(&base.join(path)),
            query: query
                .split('&')
                .filter(|part| !part.is_empty())
                .map(String::from)
                .collect(),
            fragment,
        })
    }

    /// Returns the reference with its links resolved, if it contains links that Nix does not follow
    /// itself.
    fn follow(&self) -> Option<Self> {
        let folder = self.folder()?;
        let subfolder = self.query.iter().find_map(|part| part.strip_prefix("dir="));
        let inner = match subfolder {
            Some(dir) => folder.join(decode(dir)),
            None => folder.clone(),
        };
        if let Some(home) = self.home_outside(&folder, &inner) {
            let mut query = self.query.clone();
            query.retain(|part| !part.starts_with("dir="));
            return Some(Self {
                path: home,
                query,
                ..self.clone()
            });
        }
        let path = folder.canonicalize().ok()?;
        (path != self.path).then(|| Self {
            path,
            ..self.clone()
        })
    }

    /// Returns the folder of the flake. The path may be a folder, a file `flake.nix`, or a link to
    /// such a file.
    fn folder(&self) -> Option<PathBuf> {
        let path = &self.path;
        if fs::metadata(path).ok()?.is_dir() {
            return Some(self.parent_with_flake().unwrap_or_else(|| path.clone()));
        }
        if path.ends_with(FLAKE) {
            return path.parent().map(Path::to_path_buf);
        }
        let real = path.canonicalize().ok()?;
        real.ends_with(FLAKE)
            .then(|| real.parent().map(Path::to_path_buf))?
    }

    /// Returns the nearest parent with a flake, if the folder itself has no flake. Like Nix,
    /// stops at the root of a git tree.
    fn parent_with_flake(&self) -> Option<PathBuf> {
        let named = self.query().any(|part| part.starts_with("dir="));
        if self.scheme == Scheme::Path || named || self.path.join(FLAKE).exists() {
            return None;
        }
        let real = self.path.canonicalize().ok()?;
        let end = |folder: &&Path| folder.join(FLAKE).exists() || folder.join(".git").exists();
        let found = real.ancestors().find(end)?;
        found.join(FLAKE).exists().then(|| found.to_path_buf())
    }

    /// Returns the folder of the real `flake.nix` if this file is outside the tree that Nix would
    /// copy to the store.
    fn home_outside(&self, folder: &Path, inner: &Path) -> Option<PathBuf> {
        let real = inner.join(FLAKE).canonicalize().ok()?;
        let home = real.parent().filter(|_| real.ends_with(FLAKE))?;
        let tree = match self.scheme {
            Scheme::Plain => git_tree(folder).unwrap_or(folder),
            Scheme::Path => folder,
        };
        let tree = tree.canonicalize().ok()?;
        (!home.starts_with(tree)).then(|| home.to_path_buf())
    }

    /// Formats the reference. Returns `None` if no reference can express the path.
    fn written(&self) -> Option<String> {
        let path = self.path.to_str()?;
        let path = match self.scheme {
            // Nix treats these characters as the end of a plain path, and a plain path cannot be
            // percent-encoded.
            Scheme::Plain if path.contains(['?', '#']) => return None,
            Scheme::Plain => path.to_string(),
            Scheme::Path => format!("path:{}", encode(path)),
        };
        let query = match self.query.is_empty() {
            true => String::new(),
            false => format!("?{}", self.query.join("&")),
        };
        let fragment = self.fragment.as_ref();
        let fragment = fragment.map_or_else(String::new, |fragment| format!("#{fragment}"));
        Some(path + &query + &fragment)
    }
}

/// Returns the nearest folder that contains `.git`: the folder itself or one of its parents.
pub fn git_tree(folder: &Path) -> Option<&Path> {
    folder
        .ancestors()
        .find(|folder| folder.join(".git").exists())
}

/// Returns whether Nix looks up a reference in the flake registry: `NAME`, `NAME/BRANCH` or
/// `NAME/BRANCH/REVISION`.
pub fn is_id(reference: &str) -> bool {
    let reference = reference.split('#').next().unwrap_or_default();
    let (name, rest) = match reference.split_once('/') {
        Some((name, rest)) => (name, Some(rest)),
        None => (reference, None),
    };
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let branch = |rest: &str| {
        rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '@')
            && rest
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_./@+-".contains(c))
    };
    named && rest.is_none_or(branch)
}

fn is_url(reference: &str) -> bool {
    let scheme = reference.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))
    })
}

/// Resolves `.` and `..` in a path lexically.
fn lexical(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Creates the folder `dotfiles/nixos` with a flake, and several links to it.
    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |path: &str| dir.path().join(path);
        fs::create_dir_all(at("dotfiles/nixos")).expect("a folder");
        fs::create_dir_all(at("etc/nixos")).expect("a folder");
        fs::write(at("dotfiles/nixos/flake.nix"), "{ }").expect("a flake");
        symlink("dotfiles/nixos", at("link")).expect("a link");
        symlink("../../dotfiles/nixos/flake.nix", at("etc/nixos/flake.nix")).expect("a link");
        dir
    }

    fn followed(reference: &str, base: &Path) -> (String, Option<String>) {
        let top = base.display().to_string();
        let resolved = resolve(reference, base);
        let short = |text: String| text.replace(&top, "T");
        (short(resolved.reference), resolved.remembered.map(short))
    }

    #[test]
    fn links_are_followed_and_remembered() {
        let dir = tree();
        let base = dir.path().canonicalize().expect("a folder");
        symlink("dotfiles", base.join("parent")).expect("a link");
        fs::create_dir_all(base.join("dotfiles/nixos/sub/deep")).expect("a folder");
        symlink("dotfiles/nixos/sub", base.join("to-sub")).expect("a link");
        let real = |suffix: &str| format!("T/dotfiles/nixos{suffix}");
        for (reference, is, remembered) in [
            ("./link", real(""), "T/link"),
            ("./link/", real(""), "T/link"),
            ("./parent/nixos", real(""), "T/parent/nixos"),
            ("./link/.#box", real("#box"), "T/link"),
            ("./link?dir=.#box", real("?dir=.#box"), "T/link?dir=."),
            ("./etc/nixos/#box", real("#box"), "T/etc/nixos"),
            ("./etc/nixos/flake.nix", real(""), "T/etc/nixos/flake.nix"),
            ("./etc?dir=nixos", real(""), "T/etc?dir=nixos"),
            // The flake is in a parent folder.
            ("./dotfiles/nixos/sub", real(""), "T/dotfiles/nixos/sub"),
            ("./link/sub/deep#box", real("#box"), "T/link/sub/deep"),
            ("./to-sub", real(""), "T/to-sub"),
        ] {
            let found = followed(reference, &base);
            assert_eq!(found, (is, Some(remembered.into())), "{reference}");
        }
        let path = format!("path:{}/link?dir=x#box", base.display());
        assert_eq!(
            followed(&path, &base),
            (
                "path:T/dotfiles/nixos?dir=x#box".into(),
                Some("path:T/link?dir=x".into())
            )
        );
    }

    #[test]
    fn other_references_stay_unchanged() {
        let dir = tree();
        let base = dir.path().canonicalize().expect("a folder");
        // Nix itself follows a link that stays inside the tree, so the program does not change the
        // reference.
        fs::create_dir(base.join("tree")).expect("a folder");
        fs::create_dir(base.join("tree/nix")).expect("a folder");
        fs::write(base.join("tree/nix/flake.nix"), "{ }").expect("a flake");
        symlink("nix/flake.nix", base.join("tree/flake.nix")).expect("a link");
        for reference in [
            "link",
            "link#box",
            "github:a/b",
            "git+file:///etc/nixos",
            "./dotfiles/nixos",
            "./nowhere",
            "./tree",
            "path:./link",
        ] {
            assert_eq!(
                followed(reference, &base),
                (reference.into(), None),
                "{reference}"
            );
        }
        assert_eq!(usual_folder(&base.join("tree")), base.join("tree/nix"));
        assert_eq!(
            usual_folder(&base.join("etc/nixos")),
            base.join("etc/nixos")
        );
    }

    #[test]
    fn search_for_a_flake_ends_at_a_git_tree() {
        let dir = tree();
        let base = dir.path().canonicalize().expect("a folder");
        fs::create_dir_all(base.join("dotfiles/nixos/sub/deep")).expect("a folder");
        fs::create_dir(base.join("dotfiles/nixos/sub/.git")).expect("a folder");
        let reference = "./dotfiles/nixos/sub/deep";
        assert_eq!(followed(reference, &base), (reference.into(), None));
        let path = format!("path:{}/dotfiles/nixos/sub", base.display());
        assert_eq!(followed(&path, &base).1, None);
    }

    #[test]
    fn path_in_a_git_tree_becomes_a_url() {
        let dir = tree();
        let base = dir.path().canonicalize().expect("a folder");
        fs::create_dir(base.join("dotfiles/.git")).expect("a folder");
        let url = as_git(&format!("{}/link", base.display())).expect("a URL");
        let tree = base.join("dotfiles");
        assert_eq!(url, format!("git+file://{}?dir=nixos", tree.display()));
        assert_eq!(as_git("/nowhere"), None);
    }

    #[test]
    fn registry_entries_are_distinguished_from_paths() {
        for id in ["conf", "conf#box", "nixpkgs/nixos-24.05", "a/b/c"] {
            assert!(is_id(id), "{id}");
        }
        for path in [".", "./conf", "conf/", "conf/.", "~/conf", "host.nix", "/a"] {
            assert!(!is_id(path), "{path}");
        }
        assert!(is_url("github:a/b") && !is_url("./a:b"));
    }
}
