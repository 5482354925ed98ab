//! Traces the processes of complete runs: the program starts only its own roles, builds and the
//! switch program.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use regex::Regex;

use crate::support::{FULL_PROGRAM, PROGRAM, TestEnv, has};

/// The origin of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ours,
    /// A build or one of its children.
    Build,
    /// The switch program or one of its children.
    Switch,
}

/// The trace of a run under strace.
pub(super) struct FileTrace {
    parents: HashMap<u32, u32>,
    /// For each exec, in order: the process ID, the program, and the arguments and environment as
    /// strace prints them.
    execs: Vec<(u32, String, String)>,
}

impl FileTrace {
    /// Returns a command that runs the program under strace.
    pub(super) fn command(env: &TestEnv, arguments: &[&str]) -> Command {
        let mut command = env.other("strace");
        command
            .args([
                "-f",
                "-qq",
                "-v",
                "-s",
                "300",
                "-e",
                "trace=execve,execveat,clone,clone3,fork,vfork",
                "-e",
                "signal=none",
                "-o",
            ])
            .arg(env.path("trace"))
            .arg(PROGRAM)
            .args(arguments);
        command
    }

    /// Parses the trace.
    pub(super) fn read(env: &TestEnv) -> Self {
        let text = fs::read_to_string(env.path("trace")).expect("a trace");
        let child = Regex::new(r"^(\d+) +(?:<\.\.\. )?(?:clone|clone3|fork|vfork)\b.* = (\d+)$")
            .expect("a rule");
        let exec = Regex::new(r#"^(\d+) +execve(?:at)?\((?:AT_FDCWD, )?"([^"]*)", (.*)$"#)
            .expect("a rule");
        let number = |text: &str| text.parse().expect("a number");
        let parents = text
            .lines()
            .filter_map(|line| child.captures(line))
            .map(|found| (number(&found[2]), number(&found[1])));
        let tried = text
            .lines()
            .filter(|line| !line.ends_with("(No such file or directory)"));
        let execs = tried.filter_map(|line| exec.captures(line)).map(|found| {
            (
                number(&found[1]),
                found[2].to_string(),
                found[3].to_string(),
            )
        });
        Self {
            parents: parents.collect(),
            execs: execs.collect(),
        }
    }

    /// Checks that each process starts only what it may start. Counts the starts of each role, of
    /// builds and of the switch program.
    pub(super) fn check(&self, place: &Path) -> HashMap<String, usize> {
        let mut kinds: HashMap<u32, Kind> = HashMap::new();
        let mut counts: HashMap<String, usize> = HashMap::new();
        let store = place.join("store");
        for (process, program, rest) in &self.execs {
            let parent = self.kind_of(*process, &kinds);
            let (kind, what) = match parent {
                None => {
                    assert_eq!(program, PROGRAM);
                    (Kind::Ours, "client".to_string())
                }
                Some(Kind::Ours) if program == FULL_PROGRAM && !rest.contains("\"__") => {
                    (Kind::Ours, "handover".to_string())
                }
                Some(Kind::Ours) if [PROGRAM, FULL_PROGRAM].contains(&program.as_str()) => {
                    let role = ["__evaluate", "__activate", "__transact"]
                        .into_iter()
                        .find(|role| rest.contains(&format!("\"{role}\"")));
                    (
                        Kind::Ours,
                        role.unwrap_or_else(|| panic!("not a role: {rest}"))
                            .to_string(),
                    )
                }
                Some(Kind::Ours)
                    if program.ends_with("/bin/switch-to-configuration")
                        && Path::new(program).starts_with(&store) =>
                {
                    (Kind::Switch, "switch".to_string())
                }
                // A builder has the environment that Nix sets.
                Some(Kind::Ours)
                    if Path::new(program).starts_with(&store)
                        && rest.contains("\"NIX_BUILD_TOP=") =>
                {
                    (Kind::Build, "build".to_string())
                }
                Some(Kind::Ours) => panic!("the program started {program}: {rest}"),
                Some(kind) => (kind, String::new()),
            };
            let name = Path::new(program)
                .file_name()
                .expect("a name")
                .to_string_lossy();
            let is_nix = name == "nix" || name.starts_with("nix-") || name == "nixos-rebuild";
            assert!(!is_nix, "{program} was started: {rest}");
            kinds.insert(*process, kind);
            if !what.is_empty() {
                *counts.entry(what).or_default() += 1;
            }
        }
        counts
    }

    /// Returns the last known kind of this process, or else of its nearest known ancestor.
    fn kind_of(&self, process: u32, kinds: &HashMap<u32, Kind>) -> Option<Kind> {
        let mut at = process;
        loop {
            if let Some(kind) = kinds.get(&at) {
                return Some(*kind);
            }
            at = *self.parents.get(&at)?;
        }
    }
}

#[test]
fn run_starts_only_roles_builds_and_switch() {
    if !has("run_starts_only_roles_builds_and_switch", "strace") {
        return;
    }
    let env = TestEnv::fixture();
    let flake = env.flake();
    let run = |arguments: &[&str]| {
        env.start_running(FileTrace::command(&env, arguments))
            .end()
            .ok();
        FileTrace::read(&env).check(&env.path(""))
    };
    let counts = |counts: &HashMap<String, usize>| {
        // The evaluator is a fork of the client, so it has no exec.
        ["client", "__activate", "__transact", "switch"]
            .map(|name| counts.get(name).copied().unwrap_or(0))
    };
    let first = run(&["apply", "--flake", &flake, "--host", "box"]);
    assert_eq!(counts(&first), [1, 1, 1, 1]);
    let enable = run(&["enable", "hello", "web"]);
    assert_eq!(counts(&enable), [1, 1, 1, 1]);
    assert!(enable["build"] > 3, "{enable:?}");
    let dry = run(&["enable", "slow", "--dry-run"]);
    assert_eq!((counts(&dry), dry.get("build")), ([1, 0, 0, 0], None));
    let reset = run(&["reset"]);
    assert_eq!((counts(&reset), reset.get("build")), ([1, 1, 1, 1], None));
    let list = run(&["list"]);
    assert_eq!(counts(&list), [1, 0, 0, 0]);
}

#[test]
fn git_tree_needs_no_certificates() {
    let name = "git_tree_needs_no_certificates";
    if !has(name, "strace") || !has(name, "git") {
        return;
    }
    let env = TestEnv::fixture();
    let source = env.path("source");
    for arguments in [&["init", "-q"][..], &["add", "-A", "-f"]] {
        env.git(&source, arguments);
    }
    let flake = format!("git+file://{}?dir=tests/minios", source.display());
    let certificates = env.path("certificates");
    fs::write(&certificates, "none").expect("a file");
    let arguments = ["enable", "hello", "--dry-run", "--json", "--flake", &flake];
    let traced = |ours: &[&str]| {
        let mut command = env.other("strace");
        command
            .args(["-f", "-qq", "-e", "trace=openat", "-o"])
            .arg(env.path("trace"))
            .arg(PROGRAM)
            .args(arguments)
            .args(["--host", "box"])
            .args(ours)
            .env("SSL_CERT_FILE", &certificates);
        let ran = env.start_running(command).end().ok();
        let opened = fs::read_to_string(env.path("trace")).expect("a trace");
        assert!(
            opened.contains("/source/.git/"),
            "the git repository was not read"
        );
        assert!(
            !opened.contains(&certificates.display().to_string()),
            "the certificates were read: {ours:?}"
        );
        ran.json()["cache"]["hit"] == true
    };
    assert!(!traced(&[]), "the first run is a cache hit");
    assert!(traced(&[]), "the second run is not a cache hit");
}
