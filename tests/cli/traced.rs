//! Which programs a whole run starts: our own roles, the switch program, and nothing else of its own accord.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use regex::Regex;

use crate::support::{PROGRAM, TestEnv, has};

/// What started a process, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One of our roles.
    Ours,
    /// A build, and all that it starts.
    Build,
    /// The switch program, and all that it starts.
    Switch,
}

/// A run under strace.
pub(super) struct Trace {
    parents: HashMap<u32, u32>,
    /// Process, program, arguments and environment as strace prints them, in order.
    execs: Vec<(u32, String, String)>,
}

impl Trace {
    /// A command that runs the program under strace.
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

    /// Reads what strace wrote.
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

    /// Every program that was started is one that may be, and for the right reason. Returns how many there were of each.
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
                Some(Kind::Ours) if program == PROGRAM => {
                    let role = ["__evaluate", "__activate", "__transact"]
                        .into_iter()
                        .find(|role| rest.contains(&format!("\"{role}\"")));
                    (
                        Kind::Ours,
                        role.unwrap_or_else(|| panic!("a role: {rest}")).to_string(),
                    )
                }
                Some(Kind::Ours)
                    if program.ends_with("/bin/switch-to-configuration")
                        && Path::new(program).starts_with(&store) =>
                {
                    (Kind::Switch, "switch".to_string())
                }
                // A builder, with the environment that Nix gives builders.
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

    /// What the nearest process above has been, or this one before.
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
fn a_whole_run_starts_nothing_but_its_own_roles_builds_and_the_switch_program() {
    if !has(
        "a_whole_run_starts_nothing_but_its_own_roles_builds_and_the_switch_program",
        "strace",
    ) {
        return;
    }
    let env = TestEnv::fixture();
    let flake = env.flake();
    let run = |arguments: &[&str]| {
        env.start_running(Trace::command(&env, arguments))
            .end()
            .ok();
        Trace::read(&env).check(&env.path(""))
    };
    let counts = |counts: &HashMap<String, usize>| {
        // The evaluator is forked off the client.
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
fn nobody_reads_the_certificates_for_a_tree_in_git() {
    let name = "nobody_reads_the_certificates_for_a_tree_in_git";
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
        assert!(opened.contains("/source/.git/"), "git was not looked at");
        assert!(
            !opened.contains(&certificates.display().to_string()),
            "the certificates were read: {ours:?}"
        );
        ran.json()["cache"]["hit"] == true
    };
    assert!(!traced(&[]), "evaluated");
    assert!(traced(&[]), "from the cache");
}
