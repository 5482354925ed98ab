//! Explains flake references that do not lead to a flake, and suggests others.
//!
//! Takes a reference, the folder that it is relative to, and libnix's error. Returns a failure, or
//! nothing if the reference is not the cause. Reads the file system, but fetches nothing.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use unix::unistd::{User, geteuid};

use crate::error::{Failed, Failure};
use crate::libnix::{NixError, Position, libnix_version};
use crate::local::{Local, git_tree, is_id};
use crate::percent::decode;
use crate::quoting::for_shell;
use crate::registry::nearest;

/// Number of folders with a `flake.nix` to suggest.
const OFFERED: usize = 3;

/// Makes the failure, if the reference does not lead to a flake.
pub(super) fn failure(reference: &str, base: &Path, error: &NixError) -> Option<Failed> {
    if let Some(failed) = unknown_attribute(reference, error) {
        return Some(failed);
    }
    if error
        .position
        .as_ref()
        .is_some_and(|at| !at.file.is_empty())
    {
        return None;
    }
    if let Some((_, rest)) = error.message.split_once("cannot find flake 'flake:") {
        let name = rest.split('\'').next().unwrap_or_default();
        return unregistered(reference, base).or_else(|| Some(unregistered_input(reference, name)));
    }
    if error.message.contains("is not owned by current user") {
        return Some(of_another_user(reference, &error.message));
    }
    let wrong = |why: String| {
        Failure::Evaluation.error(format!("cannot lock the flake {reference}: {why}"))
    };
    let plain = reference.strip_prefix("path:").unwrap_or(reference);
    if let Some(failed) = tilde(plain, base, &wrong) {
        return Some(failed);
    }
    let local = Local::parse(reference, base)?;
    if error.message.contains("forbidden in pure evaluation mode") {
        return Some(
            wrong(error.message.trim().into()).hint(
                "if an input of the flake has a relative path outside the flake's tree, use an absolute path or a URL instead",
            ),
        );
    }
    if let Some((_, parameter)) = error.message.split_once("has unsupported parameter '") {
        let parameter = parameter.trim_end().trim_end_matches('\'');
        return Some(
            wrong(format!(
                "a folder outside a git tree cannot have the parameter {parameter}"
            ))
            .hint(format!("leave out {parameter}=, or name a git tree")),
        );
    }
    let path = &local.path;
    let shown = path.display();
    let Ok(metadata) = fs::metadata(path) else {
        return Some(missing(path, &wrong));
    };
    if metadata.is_file() && !path.ends_with("flake.nix") {
        return Some(
            wrong(format!(
                "{shown} is a file, but a flake is a folder with a flake.nix"
            ))
            .hint(format!(
                "for a configuration that is not in a flake, use --file {}",
                quoted(path)
            ))
            .hint("for a flake, name its folder"),
        );
    }
    let local = in_dir(local);
    let flake = local.path.join("flake.nix");
    if metadata.is_dir() && !flake.exists() {
        return Some(without_flake(&local, &flake, &wrong));
    }
    None
}

/// Explains a `git+file:` reference to a folder that is missing, or that is not a git tree.
pub(super) fn no_git_tree(reference: &str) -> Option<Failed> {
    let rest = reference.strip_prefix("git+file:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let path = PathBuf::from(decode(path));
    let wrong = |why: String| {
        Failure::Evaluation.error(format!("cannot lock the flake {reference}: {why}"))
    };
    let shown = path.display();
    if path.is_relative() {
        return None;
    }
    if !path.exists() {
        return Some(missing(&path, &wrong));
    }
    // A bare repository has the file HEAD and the folder objects in its top folder.
    let is_bare = path.join("HEAD").exists() && path.join("objects").exists();
    if path.join(".git").exists() || is_bare {
        return None;
    }
    let failed = wrong(format!("{shown} is not a git tree"));
    Some(match git_tree(&path) {
        Some(top) => failed.hint(format!(
            "name the top of the tree, {}, and the folder in it with ?dir=FOLDER",
            top.display()
        )),
        None => failed.hint(format!(
            "for a folder without git, use --flake {}",
            quoted(&path)
        )),
    })
}

/// Explains an input that Nix looks up in registries but does not find.
fn unregistered_input(reference: &str, name: &str) -> Failed {
    Failure::Evaluation
        .error(format!(
            "cannot lock the flake {reference}: an input refers to {name}, which is not in any flake registry"
        ))
        .hint(format!(
            "give the input a URL in flake.nix: inputs.{name}.url = \"…\"; or replace it for this run: --override-input {name} REF"
        ))
}

/// Explains a git tree of another user, which git reads only if it is in `safe.directory`.
fn of_another_user(reference: &str, message: &str) -> Failed {
    let tree = message.split('\'').nth(1).unwrap_or_default();
    let owner = fs::metadata(tree).ok().map(|data| data.uid());
    let user = owner.and_then(|id| User::from_uid(id.into()).ok().flatten());
    let name = match (&user, owner) {
        (Some(user), _) => user.name.clone(),
        (None, Some(id)) => format!("user {id}"),
        (None, None) => "another user".into(),
    };
    let failed = Failure::Evaluation.error(format!(
        "cannot lock the flake {reference}: the git tree {tree} belongs to {name}, and git does not read trees of other users"
    ));
    let failed = match user {
        Some(user) => failed.hint(format!(
            "run the command as {}; the program becomes root only to activate",
            user.name
        )),
        None => failed,
    };
    failed.hint(format!(
        "if you trust the tree, run `git config --global --add safe.directory {}`",
        for_shell(tree)
    ))
}

/// Explains an attribute in `flake.nix` that this release of Nix does not support.
fn unknown_attribute(reference: &str, error: &NixError) -> Option<Failed> {
    let message = error.message.trim();
    let (name, at) = match message.strip_prefix("unexpected flake input attribute '") {
        Some(rest) => rest.split_once('\'')?,
        None => {
            let (_, rest) = message.split_once(" has an unsupported attribute '")?;
            rest.split_once('\'')?
        }
    };
    let failed = Failure::Evaluation.error(format!(
        "cannot lock the flake {reference}: flake.nix has an attribute '{name}', which libnix {} does not support",
        libnix_version()
    ));
    let failed = match position(at) {
        Some(place) => super::explain::at(failed, &place),
        None => failed,
    };
    let failed = failed.hint(match NEWER.iter().find(|(known, _)| *known == name) {
        Some((_, release)) => format!(
            "Nix {release} and newer support the attribute: use a runtime-module that is linked to such a release, or remove the attribute"
        ),
        None => "check the spelling; if it is correct, use a runtime-module that is linked to a newer Nix".into(),
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
    let failed = Failure::Evaluation.error(format!(
        "cannot lock the flake {reference}: no flake registry has an entry for {name}"
    ));
    Some(match base.join(name).exists() {
        true => failed.hint(format!(
            "for a folder, use its path: --flake {}",
            for_shell(&format!("./{name}{fragment}"))
        )),
        false => failed
            .hint("if you meant a folder, begin its path with ./ or /")
            .hint("run `nix registry list` to see all entries"),
    })
}

/// Explains a `~` that the shell did not expand.
fn tilde(reference: &str, base: &Path, wrong: &impl Fn(String) -> Failed) -> Option<Failed> {
    let rest = reference.strip_prefix('~')?;
    let (user, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if base.join(format!("~{user}")).exists() {
        return None;
    }
    let known = match user {
        "" => User::from_uid(geteuid()),
        name => User::from_name(name),
    };
    let failed = wrong("the shell did not expand ~".into());
    Some(match known.ok().flatten() {
        Some(found) => failed.hint(format!(
            "write the absolute path: {}",
            for_shell(&format!("{}{rest}", found.dir.display()))
        )),
        None => failed.hint("write the absolute path, starting with /"),
    })
}

/// Explains a missing path, or a dangling link.
fn missing(path: &Path, wrong: &impl Fn(String) -> Failed) -> Failed {
    let shown = path.display();
    if let Ok(target) = fs::read_link(path) {
        let target = path.parent().unwrap_or(path).join(target);
        return wrong(format!(
            "{shown} is a link to {}, which does not exist",
            target.display()
        ))
        .hint("correct the link, or name the folder itself");
    }
    let failed = wrong(format!("there is no folder {shown}"));
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
    match close.first() {
        Some(name) => {
            let meant = there.join(name).join(parts.as_path());
            failed.hint(format!("did you mean {}?", quoted(&meant)))
        }
        None => failed.hint("name a folder that has a flake.nix"),
    }
}

/// Explains a folder without a `flake.nix`. Nix also looks in the parents, but found none there.
fn without_flake(local: &Local, flake: &Path, wrong: &impl Fn(String) -> Failed) -> Failed {
    let path = &local.path;
    let shown = path.display();
    let fragment = local.fragment.as_ref();
    let fragment = fragment.map_or_else(String::new, |fragment| format!("#{fragment}"));
    if let Ok(target) = fs::read_link(flake) {
        let target = path.join(target);
        return wrong(format!(
            "{} is a link to {}, which does not exist",
            flake.display(),
            target.display()
        ))
        .hint("correct the link");
    }
    let empty = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    let failed = wrong(match empty {
        true => format!("the folder {shown} is empty"),
        false => format!("the folder {shown} has no flake.nix"),
    });
    let found: Vec<PathBuf> = folders(path)
        .into_iter()
        .filter(|folder| folder.join("flake.nix").exists())
        .take(OFFERED)
        .collect();
    if !found.is_empty() {
        let names: Vec<String> = found
            .iter()
            .map(|folder| {
                format!(
                    "--flake {}",
                    for_shell(&format!("{}{fragment}", folder.display()))
                )
            })
            .collect();
        return failed.hint(format!(
            "name the flake in a subfolder: {}",
            names.join(" or ")
        ));
    }
    let plain = ["default.nix", "configuration.nix"];
    if plain.iter().any(|name| path.join(name).exists()) {
        return failed.hint(format!(
            "for a configuration that is not in a flake, use --file {}",
            quoted(path)
        ));
    }
    failed.hint("name the folder that has the flake.nix of your configuration")
}

/// Appends the folder of the parameter `dir=` to the path of the reference.
fn in_dir(mut local: Local) -> Local {
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
