//! Explains flake references that do not lead to a flake, and suggests others.
//!
//! Takes a reference, the folder that it is relative to, and libnix's error. Returns a failure, or
//! nothing if the reference is not the cause. Reads the file system, but fetches nothing.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use unix::unistd::{User, geteuid};

use super::fetching;
use crate::error::{Failed, LockError, Message as _};
use crate::libnix::{NixError, Position, libnix_version};
use crate::local::{LocalReference, git_tree, is_id};
use crate::percent::decode;
use crate::quoting::for_shell;
use crate::registry::nearest;
use crate::wordings;

/// Number of folders with a `flake.nix` to suggest.
const OFFERED: usize = 3;

/// Makes the failure, if the reference does not lead to a flake.
pub(super) fn failure(reference: &str, base: &Path, error: &NixError) -> Option<Failed> {
    if let Some(failed) = unknown_attribute(reference, error) {
        return Some(failed);
    }
    let position = error.position.as_ref();
    if position.is_some_and(|at| !at.file.is_empty()) {
        return None;
    }
    if let Some((_, rest)) = error.message.split_once("cannot find flake 'flake:") {
        let entry = rest.split('\'').next().unwrap_or_default();
        return unregistered(reference, base)
            .or_else(|| Some(unregistered_input(reference, entry, error)));
    }
    if error.message.contains("is not owned by current user") {
        return Some(of_another_user(reference, &error.message));
    }
    let plain = reference.strip_prefix("path:").unwrap_or(reference);
    if let Some(failed) = tilde(reference, plain, base) {
        return Some(failed);
    }
    let local = LocalReference::parse(reference, base)?;
    if let Some(failed) = of_local(reference, error) {
        return Some(failed);
    }
    let Ok(metadata) = fs::metadata(&local.path) else {
        return Some(missing(reference, &local.path));
    };
    if metadata.is_file() && !local.path.ends_with("flake.nix") {
        let is_file = LockError::IsFile {
            flake: reference.into(),
            path: local.path.display().to_string(),
            argument: quoted(&local.path),
        };
        return Some(is_file.into());
    }
    let local = in_dir(local);
    let flake = local.path.join("flake.nix");
    if metadata.is_dir() && !flake.exists() {
        return Some(without_flake(reference, &local, &flake));
    }
    None
}

/// Explains an error that libnix reports only for local references.
fn of_local(reference: &str, error: &NixError) -> Option<Failed> {
    let flake = reference.into();
    if error.message.contains("forbidden in pure evaluation mode") {
        let reason = error.message.trim().into();
        return Some(LockError::Failed { flake, reason }.hint(
            "if an input of the flake has a relative path outside the flake's tree, use an absolute path or a URL instead",
        ));
    }
    let (_, parameter) = error.message.split_once("has unsupported parameter '")?;
    let parameter = parameter.trim_end().trim_end_matches('\'').into();
    Some(LockError::UnknownParameter { flake, parameter }.into())
}

/// Explains a `git+file:` reference to a folder that is missing, or that is not a git tree.
pub(super) fn no_git_tree(reference: &str) -> Option<Failed> {
    let rest = reference.strip_prefix("git+file:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let path = PathBuf::from(decode(path));
    if path.is_relative() {
        return None;
    }
    if !path.exists() {
        return Some(missing(reference, &path));
    }
    // A bare repository has the file HEAD and the folder objects in its top-level folder.
    let is_bare = path.join("HEAD").exists() && path.join("objects").exists();
    if path.join(".git").exists() || is_bare {
        return None;
    }
    let hint = match git_tree(&path) {
        Some(top) => format!(
            "specify the top-level folder of the repository, {}, and the folder inside it with ?dir=FOLDER",
            top.display()
        ),
        None => format!(
            "for a folder outside a git repository, use --flake {}",
            quoted(&path)
        ),
    };
    let (flake, path) = (reference.into(), path.display().to_string());
    Some(LockError::NoGitTree { flake, path }.hint(hint))
}

/// Explains a git tree of another user, which git reads only if it is in `safe.directory`.
fn of_another_user(reference: &str, message: &str) -> Failed {
    let tree = message.split('\'').nth(1).unwrap_or_default();
    let owner = fs::metadata(tree).ok().map(|data| data.uid());
    let user = owner.and_then(|id| User::from_uid(id.into()).ok().flatten());
    let failed = Failed::from(LockError::OthersGitTree {
        flake: reference.into(),
        tree: tree.into(),
        owner: match (&user, owner) {
            (Some(user), _) => user.name.clone(),
            (None, Some(id)) => format!("user {id}"),
            (None, None) => "another user".into(),
        },
    });
    let failed = match user {
        Some(user) => failed.hint(format!(
            "run the command as {}; only activation runs as root",
            user.name
        )),
        None => failed,
    };
    failed.hint(format!(
        "if you trust the repository, run `git config --global --add safe.directory {}`",
        for_shell(tree)
    ))
}

/// Explains an attribute in `flake.nix` that this release of Nix does not support.
fn unknown_attribute(reference: &str, error: &NixError) -> Option<Failed> {
    let message = error.message.trim();
    let (name, at) = wordings::unsupported_attribute(message)?;
    let failed = Failed::from(LockError::UnknownAttribute {
        flake: reference.into(),
        attribute: name.into(),
        libnix: libnix_version(),
    });
    let failed = match position(at) {
        Some(place) => super::explain::at(failed, &place),
        None => failed,
    };
    let failed = failed.hint(match NEWER.iter().find(|(known, _)| *known == name) {
        Some((_, release)) => format!(
            "Nix {release} and newer support the attribute: use a build of runtime-module that is linked to such a release, or remove the attribute"
        ),
        None => "check the spelling; if it is correct, use a build of runtime-module that is linked to a newer Nix".into(),
    });
    Some(match name {
        "submodules" => failed.hint(
            "to fetch submodules without the attribute, add ?submodules=1 to the flake reference",
        ),
        _ => failed,
    })
}

/// Attributes of inputs, and the first release of Nix that supports each.
const NEWER: [(&str, &str); 1] = [("submodules", "2.27")];

/// Parses the position at the end of a message: `, at FILE:LINE:COLUMN`.
fn position(text: &str) -> Option<Position> {
    let (_, place) = text.split_once("at ")?;
    let mut parts = place.trim().rsplitn(3, ':');
    let column = parts.next()?.parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    Some(Position {
        file: parts.next()?.into(),
        line,
        column,
    })
}

/// Explains a reference that Nix looks up in registries but does not find.
fn unregistered(reference: &str, base: &Path) -> Option<Failed> {
    let (name, fragment) = parts(reference);
    is_id(reference).then_some(())?;
    let error = LockError::NotRegistered {
        flake: reference.into(),
        name: name.into(),
    };
    Some(match base.join(name).exists() {
        true => error.hint(format!(
            "for a folder, use its path: --flake {}",
            for_shell(&format!("./{name}{fragment}"))
        )),
        false => error
            .hint("if you meant a folder, begin the path with ./ or /")
            .hint("run `nix registry list` to see all entries"),
    })
}

/// Explains an input whose reference Nix looks up in registries under the name `entry`. The name of
/// the input may differ.
fn unregistered_input(reference: &str, entry: &str, error: &NixError) -> Failed {
    let input = fetching::input_name(error).unwrap_or_else(|| entry.into());
    LockError::InputNotRegistered {
        flake: reference.into(),
        entry: entry.into(),
        option: format!("inputs.{}", input.replace('/', ".inputs.")),
        input,
    }
    .into()
}

/// Explains a `~` that the shell did not expand. `plain` is the reference without `path:`.
fn tilde(reference: &str, plain: &str, base: &Path) -> Option<Failed> {
    let rest = plain.strip_prefix('~')?;
    let (user, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if base.join(format!("~{user}")).exists() {
        return None;
    }
    let known = match user {
        "" => User::from_uid(geteuid()),
        name => User::from_name(name),
    };
    let hint = match known.ok().flatten() {
        Some(found) => format!(
            "write the absolute path: {}",
            for_shell(&format!("{}{rest}", found.dir.display()))
        ),
        None => "write the absolute path, starting with /".into(),
    };
    let flake = reference.into();
    Some(LockError::Tilde { flake }.hint(hint))
}

/// Returns the error for a dangling link, if the path is a link.
fn dangling_link(reference: &str, link: &Path, hint: &str) -> Option<Failed> {
    let target = fs::read_link(link).ok()?;
    let target = link.parent().unwrap_or(link).join(target);
    let error = LockError::DanglingLink {
        flake: reference.into(),
        path: link.display().to_string(),
        target: target.display().to_string(),
    };
    Some(error.hint(hint))
}

/// Explains a missing path, or a dangling link.
fn missing(reference: &str, path: &Path) -> Failed {
    let hint = "correct the symbolic link, or specify the folder itself";
    if let Some(failed) = dangling_link(reference, path, hint) {
        return failed;
    }
    // Find the first missing part of the path, and the folders next to it.
    let there = path.ancestors().find(|folder| folder.is_dir());
    let there = there.unwrap_or(Path::new("/"));
    let rest = path.strip_prefix(there).unwrap_or(path);
    let mut parts = rest.components();
    let first = parts.next().map(|part| part.as_os_str().to_string_lossy());
    let names: Vec<String> = folders(there)
        .iter()
        .filter_map(|folder| name(folder))
        .collect();
    let close = nearest(&first.unwrap_or_default(), &names);
    let hint = match close.first() {
        Some(name) => {
            let meant = there.join(name).join(parts.as_path());
            format!("did you mean {}?", quoted(&meant))
        }
        None => "specify a folder that has a flake.nix".into(),
    };
    let (flake, path) = (reference.into(), path.display().to_string());
    LockError::NoFolder { flake, path }.hint(hint)
}

/// Explains a folder without a `flake.nix`. Nix also looks in the parents, but found none there.
fn without_flake(reference: &str, local: &LocalReference, link: &Path) -> Failed {
    if let Some(failed) = dangling_link(reference, link, "correct the symbolic link") {
        return failed;
    }
    let (flake, path) = (reference.into(), local.path.display().to_string());
    let mut entries = fs::read_dir(&local.path).into_iter().flatten();
    let error = match entries.next() {
        Some(_) => LockError::NoFlakeInFolder { flake, path },
        None => LockError::EmptyFolder { flake, path },
    };
    error.hint(other_folder(local))
}

/// Suggests another folder, or a configuration that is not in a flake, for a folder without a
/// `flake.nix`.
fn other_folder(local: &LocalReference) -> String {
    let fragment = local.fragment.as_ref();
    let fragment = fragment.map_or_else(String::new, |fragment| format!("#{fragment}"));
    let subfolders = folders(&local.path);
    let flakes = subfolders
        .iter()
        .filter(|folder| folder.join("flake.nix").exists())
        .map(|folder| for_shell(&format!("{}{fragment}", folder.display())))
        .map(|reference| format!("--flake {reference}"));
    let flakes: Vec<String> = flakes.take(OFFERED).collect();
    let mut plain = ["default.nix", "configuration.nix"].iter();
    if !flakes.is_empty() {
        format!("specify the flake in a subfolder: {}", flakes.join(" or "))
    } else if plain.any(|name| local.path.join(name).exists()) {
        format!(
            "for a configuration that is not in a flake, use --file {}",
            quoted(&local.path)
        )
    } else {
        "specify the folder that has the flake.nix of your configuration".into()
    }
}

/// Appends the folder of the parameter `dir=` to the path of the reference.
fn in_dir(mut local: LocalReference) -> LocalReference {
    let dir = local.query().find_map(|part| part.strip_prefix("dir="));
    if let Some(dir) = dir.map(decode) {
        local.path.push(dir);
    }
    local
}

/// Splits a reference into the part before the fragment, and the fragment with its `#`.
fn parts(reference: &str) -> (&str, &str) {
    reference.split_at(reference.find('#').unwrap_or(reference.len()))
}

/// Returns the subfolders of a folder, sorted.
fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}

fn name(path: &Path) -> Option<String> {
    path.file_name()?.to_str().map(String::from)
}

/// Quotes a path for a shell.
fn quoted(path: &Path) -> String {
    for_shell(&path.to_string_lossy())
}
