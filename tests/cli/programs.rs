//! The two programs: the libraries that each of them links to, and the commands that work without
//! the second one.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{FULL_PROGRAM, PROGRAM, Ran, TestEnv, has, nix, strings};

/// Returns the entries with this tag in the dynamic section of a program.
fn dynamic(program: &Path, tag: &str) -> Vec<String> {
    let read = Command::new("readelf")
        .arg("--dynamic")
        .arg(program)
        .output();
    let text = String::from_utf8(read.expect("readelf").stdout).expect("text");
    let lines = text.lines().filter(|line| line.contains(tag));
    let value = |line: &str| Some(line.split_once('[')?.1.trim_end_matches(']').to_string());
    lines.filter_map(value).collect()
}

#[test]
fn only_the_second_program_links_libnix() {
    if !has("only_the_second_program_links_libnix", "readelf") {
        return;
    }
    let light = dynamic(Path::new(PROGRAM), "(NEEDED)");
    let known = ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux"];
    let unknown = |library: &&String| !known.iter().any(|one| library.starts_with(one));
    assert!(!light.is_empty(), "readelf found no libraries");
    assert_eq!(light.iter().find(unknown), None, "{light:?}");
    assert!(dynamic(Path::new(PROGRAM), "(RUNPATH)").is_empty());
    let full = dynamic(Path::new(FULL_PROGRAM), "(NEEDED)");
    assert!(
        full.iter()
            .any(|library| library.starts_with("libnixstore")),
        "{full:?}"
    );
}

/// A package with copies of both programs.
struct Package(PathBuf);

impl Package {
    fn new(env: &TestEnv) -> Self {
        let package = Self(env.path("home/package"));
        for (folder, program) in [("bin", PROGRAM), ("libexec", FULL_PROGRAM)] {
            let folder = package.0.join(folder);
            fs::create_dir_all(&folder).expect("a folder");
            let name = Path::new(program).file_name().expect("a name");
            fs::copy(program, folder.join(name)).expect("copied");
        }
        package
    }

    fn light(&self) -> PathBuf {
        self.0.join("bin/runtime-module")
    }

    fn full(&self) -> PathBuf {
        self.0.join("libexec/runtime-module-nix")
    }

    /// Makes the second program look for its libraries in folders that do not exist.
    fn take_libnix_away(&self) {
        let places = dynamic(&self.full(), "(RUNPATH)").concat();
        assert!(
            !places.is_empty(),
            "the program finds libnix without a RUNPATH"
        );
        let nowhere: String = places
            .chars()
            .map(|c| if c == '/' { '/' } else { 'x' })
            .collect();
        let mut bytes = fs::read(self.full()).expect("the program");
        let starts = |at: &usize| bytes[*at..].starts_with(places.as_bytes());
        let at: Vec<usize> = (0..bytes.len() - places.len()).filter(starts).collect();
        for at in at {
            bytes[at..at + nowhere.len()].copy_from_slice(nowhere.as_bytes());
        }
        fs::write(self.full(), bytes).expect("written");
    }

    fn run(&self, env: &TestEnv, arguments: &[&str]) -> Ran {
        let mut command = env.other(self.light());
        command.args(arguments).args(["--progress", "off"]);
        env.start_running(command).end()
    }
}

#[test]
fn changes_can_be_undone_without_libnix() {
    if !has("changes_can_be_undone_without_libnix", "readelf") {
        return;
    }
    let env = TestEnv::new();
    let package = Package::new(&env);
    let base = env.running();
    package.run(&env, &["enable", "inline"]).ok();
    package.run(&env, &["enable", "hello"]).ok();
    package.take_libnix_away();

    // A command that must evaluate fails, and the message names a library.
    let failed = package.run(&env, &["enable", "web"]);
    assert_ne!(failed.code, 0, "{failed:?}");
    assert!(failed.stderr.contains("libnix"), "{failed:?}");
    assert_eq!(env.active(), ["inline", "hello"]);

    for command in ["list", "status", "history", "overrides"] {
        package.run(&env, &[command]).ok();
    }
    package.run(&env, &["rollback"]).ok();
    assert_eq!(env.active(), ["inline"]);
    package.run(&env, &["rollback"]).ok();
    package.run(&env, &["rollback", "--confirm", "1m"]).ok();
    package.run(&env, &["confirm"]).ok();
    package.run(&env, &["reset", "--confirm", "1m"]).ok();
    assert_eq!(env.running(), base);
    package.run(&env, &["rollback"]).ok();
    assert_ne!(env.running(), base);
    package.run(&env, &["reset"]).ok();
    assert_eq!(env.running(), base);
    assert!(env.active().is_empty());
}

#[test]
fn interrupted_change_is_recovered_without_libnix() {
    let env = TestEnv::new();
    let base = env.running();
    env.faulty("activator.switch:after", &["enable", "inline"]);
    let package = Package::new(&env);
    fs::remove_file(package.full()).expect("removed");
    package.run(&env, &["recover"]).ok();
    assert_eq!(env.running(), base);
    assert!(strings(&env.state()["active"]).is_empty());
}

#[test]
fn missing_second_program_is_named() {
    let env = TestEnv::new();
    let package = Package::new(&env);
    fs::remove_file(package.full()).expect("removed");
    let failed = package.run(&env, &["enable", "inline"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.stderr.contains("error: cannot start "), "{failed:?}");
    assert!(
        failed.stderr.contains("hint: install both programs"),
        "{failed:?}"
    );
    package.run(&env, &["status"]).ok();
}

#[test]
fn programs_of_different_versions_refuse_each_other() {
    let env = TestEnv::new();
    let mut command = env.other(FULL_PROGRAM);
    command
        .arg0("runtime-module 9.9.9")
        .args(["enable", "inline"]);
    let failed = env.start_running(command).end();
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(
        failed.stderr.contains("their versions differ (9.9.9 and"),
        "{failed:?}"
    );
    assert!(env.active().is_empty());
}

/// The minimum time to make changes while the garbage collector runs.
const COLLECTING: Duration = Duration::from_secs(8);

#[test]
fn collections_never_delete_needed_paths() {
    let Some(nix) = nix("collections_never_delete_needed_paths") else {
        return;
    };
    let env = TestEnv::new();
    let stop = env.path("stop");
    let mut collector = env.other("/bin/sh");
    collector
        .env("NIX", &nix)
        .env("STORE", env.store())
        .env("STOP", &stop);
    let collect = r#"while [ ! -e "$STOP" ]; do
        "$NIX" --extra-experimental-features nix-command store gc --store "$STORE" || exit 1
    done"#;
    collector.args(["-c", collect]);
    let collector = env.start_running(collector);
    let begun = Instant::now();
    let mut changes = 0;
    while begun.elapsed() < COLLECTING || changes < 4 {
        for command in ["enable", "disable"] {
            let done = env.quiet(&[command, "inline"]).ok();
            changes += 1;
            let running = env.running();
            assert!(running.join("activate").exists(), "{done:?}");
            assert!(running.canonicalize().is_ok(), "{done:?}");
        }
        sleep(Duration::from_millis(20));
    }
    fs::write(&stop, "").expect("written");
    collector.end().ok();
    // Everything that the running system refers to still exists.
    let mut verify = env.other(&nix);
    verify
        .args(["--extra-experimental-features", "nix-command"])
        .args(["path-info", "--recursive", "--store", &env.store()])
        .arg(env.running());
    let verified = verify.output().expect("nix");
    assert!(verified.status.success(), "{verified:?}");
    let paths = String::from_utf8(verified.stdout).expect("text");
    for path in paths.lines() {
        assert!(Path::new(path).symlink_metadata().is_ok(), "{path} is gone");
    }
}
