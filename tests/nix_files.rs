//! Checks that every Nix file of the project is formatted. With `FORMAT=1` it formats them instead.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests prepare files and start programs"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The suffix of fixtures that deliberately do not parse.
const BROKEN: &str = "syntax-error.nix";

fn nix_files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = Command::new("git")
        // git refuses to read a checkout that belongs to another user, as in a container.
        .args(["-c", "safe.directory=*"])
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "*.nix",
        ])
        .current_dir(root)
        .output()
        .expect("git lists the files of a checkout");
    String::from_utf8_lossy(&listed.stdout)
        .lines()
        .filter(|file| !file.ends_with(BROKEN) && root.join(file).exists())
        .map(|file| root.join(file))
        .collect()
}

#[test]
fn nix_files_are_formatted() {
    let files = nix_files();
    assert!(!files.is_empty(), "git lists no Nix files");
    let mut wrong = Vec::new();
    for file in files {
        let before = std::fs::read_to_string(&file).expect("a file of the checkout");
        let after = nixfmt_rs::format(&before)
            .unwrap_or_else(|error| panic!("{} does not parse: {error}", file.display()));
        if after == before {
            continue;
        }
        if std::env::var_os("FORMAT").is_some() {
            std::fs::write(&file, after).expect("the checkout is writable");
        } else {
            wrong.push(file.display().to_string());
        }
    }
    assert!(
        wrong.is_empty(),
        "not formatted (make format): {}",
        wrong.join(", ")
    );
}
