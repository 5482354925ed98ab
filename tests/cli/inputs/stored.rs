//! Locked inputs whose trees are in the store. With an empty cache of libnix, a run reads only the
//! files that evaluation needs, and fetches nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::{Value, json};

use super::TestHost;
use crate::support::{PROGRAM, TestEnv, has};

/// Number of files in each input that no evaluation reads.
const UNREAD: usize = 20;

/// The inputs, and the files of each that evaluation reads. `lockFlake` reads the `flake.nix` of
/// `forge` again, because an input of `forge` follows another.
const READ: [(&str, &[&str]); 4] = [
    ("folder", &["default.nix"]),
    ("forge", &["default.nix", "flake.nix"]),
    ("archive", &["default.nix"]),
    ("stored", &["default.nix"]),
];

/// A host whose inputs are in the store.
struct StoredInputs {
    host: TestHost,
    flake: PathBuf,
    /// Store path of each input.
    trees: Vec<(&'static str, PathBuf)>,
}

impl StoredInputs {
    fn new(test: &str) -> Option<Self> {
        let host = TestHost::new(test).filter(|_| has(test, "strace"))?;
        let mut nodes = json!({ "root": { "inputs": {} } });
        let mut trees: Vec<(_, PathBuf)> = Vec::new();
        for (name, _) in READ {
            let folder = host.flake(
                name,
                "{ inputs.folder.url = \"path:/nowhere\"; outputs = _: { }; }",
            );
            fs::write(folder.join("default.nix"), format!("\"{name} \"")).expect("written");
            for number in 0..UNREAD {
                let file = folder.join(format!("unread-{number}"));
                fs::write(file, name.repeat(number)).expect("written");
            }
            let path = host.nix(&["store", "add", "--name", "source", text(&folder)]);
            fs::remove_dir_all(&folder).expect("removed");
            let (mut locked, original) = references(name, &folder, &path);
            let info: Value =
                serde_json::from_str(&host.nix(&["path-info", "--json", &path])).expect("JSON");
            locked["narHash"] = info[&path]["narHash"].clone();
            locked["lastModified"] = json!(1);
            nodes[name] = json!({ "locked": locked, "original": original });
            match name {
                "forge" => nodes[name]["inputs"] = json!({ "folder": ["folder"] }),
                _ => nodes[name]["flake"] = json!(false),
            }
            nodes["root"]["inputs"][name] = json!(name);
            trees.push((name, path.into()));
        }
        let url = |name: &str| {
            let (_, original) = references(
                name,
                &host.env.path(name),
                &trees[3].1.display().to_string(),
            );
            match name {
                "forge" => "url = \"github:o/forge\"; inputs.folder.follows = \"folder\";".into(),
                "archive" => format!("url = {}; flake = false;", original["url"]),
                _ => format!(
                    "url = \"path:{}\"; flake = false;",
                    original["path"].as_str().expect("a path")
                ),
            }
        };
        let inputs: String = READ
            .iter()
            .map(|(name, _)| format!("inputs.{name} = {{ {} }};\n", url(name)))
            .collect();
        let site = "(builtins.concatStringsSep \"\" (map (name: import \"${inputs.${name}}\") [ \"folder\" \"forge\" \"archive\" \"stored\" ]))";
        let flake = host.host("host", &inputs, site);
        let lock = json!({ "nodes": nodes, "root": "root", "version": 7 });
        fs::write(flake.join("flake.lock"), lock.to_string()).expect("written");
        Some(Self { host, flake, trees })
    }

    /// Runs the program with an empty cache. Returns the files of each input that it opens.
    fn opened(&self) -> Vec<(&'static str, BTreeSet<String>)> {
        let env = &self.host.env;
        let cache = env.path("cache");
        if cache.exists() {
            fs::remove_dir_all(&cache).expect("removed");
        }
        let trace = trace(env, &super::reference(&self.flake));
        assert!(
            !trace.contains("sa_family=AF_INET"),
            "the run used the network"
        );
        let of = |tree: &Path| {
            let prefix = regex::escape(text(tree));
            let file = Regex::new(&format!("\"{prefix}/([^\"]+)\"")).expect("a rule");
            let opened = trace.lines().filter(|line| !line.contains("ENOENT"));
            let opened = opened.filter_map(|line| Some(file.captures(line)?[1].to_string()));
            opened.collect::<BTreeSet<_>>()
        };
        let trees = self.trees.iter();
        trees.map(|(name, tree)| (*name, of(tree))).collect()
    }
}

/// Returns the locked and the original reference of an input.
fn references(name: &str, folder: &Path, stored: &str) -> (Value, Value) {
    match name {
        "forge" => {
            let original = json!({ "type": "github", "owner": "o", "repo": "forge" });
            let mut locked = original.clone();
            locked["rev"] = json!("0123456789abcdef0123456789abcdef01234567");
            (locked, original)
        }
        "archive" => {
            let url = json!({ "type": "tarball", "url": "http://127.0.0.1:9/archive.tar.gz" });
            (url.clone(), url)
        }
        _ => {
            let path = if name == "stored" {
                stored
            } else {
                text(folder)
            };
            let path = json!({ "type": "path", "path": path });
            (path.clone(), path)
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// Runs the program under strace. Returns the opened files and the connections.
fn trace(env: &TestEnv, flake: &str) -> String {
    let mut command = env.other("strace");
    command
        .args(["-f", "-qq", "-s", "300", "-e", "trace=openat,connect", "-o"])
        .arg(env.path("trace"))
        .args([PROGRAM, "enable", "hello", "--dry-run", "--no-cache"])
        .args(["--host", "box", "--flake", flake]);
    env.start_running(command).end().ok();
    fs::read_to_string(env.path("trace")).expect("a trace")
}

#[test]
fn stored_inputs_are_not_read_again() {
    let Some(stored) = StoredInputs::new("stored_inputs_are_not_read_again") else {
        return;
    };
    for (name, opened) in stored.opened() {
        let (_, read) = READ.iter().find(|(one, _)| *one == name).expect("an input");
        let read: BTreeSet<String> = read.iter().map(ToString::to_string).collect();
        assert_eq!(opened, read, "{name}");
    }
}

#[test]
fn stored_input_without_verified_hash_is_read() {
    let name = "stored_input_without_verified_hash_is_read";
    let Some(stored) = StoredInputs::new(name) else {
        return;
    };
    // Like `nix-store --load-db`, which registers paths without a content address.
    let database = stored.host.env.path("state/db/db.sqlite");
    let database = rusqlite::Connection::open(database).expect("the database");
    let forget = "update ValidPaths set ca = null where path = ?1";
    for (_, tree) in &stored.trees[..3] {
        assert_eq!(database.execute(forget, [text(tree)]), Ok(1));
    }
    drop(database);
    for (name, opened) in stored.opened() {
        let unread = opened.iter().filter(|file| file.starts_with("unread-"));
        let expected = if name == "stored" { 0 } else { UNREAD };
        assert_eq!(unread.count(), expected, "{name}");
    }
}
