//! One environment for each test: a store, a root for the simulated machine, a cache and a copy of the fixture, all in
//! one temporary folder. Tests change nothing outside it and can run in parallel.

mod evidence;
mod golden;
mod guest;
mod lab;
mod needs;
mod processes;
mod run;
mod schema;
mod site;
mod soaking;
mod sshd;
mod tree;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use unix::sys::stat::Mode;

pub use evidence::Evidence;
pub use golden::{compare, normalise};
pub use guest::{GUEST_PROGRAM, GuestLab};
pub use lab::{FaultPoint, Lab, ProcessRole, Victim};
pub use needs::{crowd, has, nix, skip, soak};
pub use processes::Processes;
pub use run::{Ran, RunningProgram};
pub use schema::document as documented;
pub use site::Site;
pub use soaking::{Counted, PseudoRandom, attempt_at_random};
pub use sshd::Sshd;
pub use tree::{Tree, copy};

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_runtime-module");

/// The program that evaluates and builds.
pub const FULL_PROGRAM: &str = env!("CARGO_BIN_EXE_runtime-module-nix");

/// [`PROGRAM`], quoted for a shell, because its path may contain a space.
pub const PROGRAM_IN_SHELL: &str = concat!("'", env!("CARGO_BIN_EXE_runtime-module"), "'");

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// Nix settings for the test machine: a store that an ordinary user can write to, and no network.
const SETTINGS: &str = "build-users-group =\nsubstituters =\nsandbox = false\nflake-registry =\n";

pub struct TestEnv {
    dir: TempDir,
}

impl TestEnv {
    /// Starts the host `box` with no module enabled.
    pub fn new() -> Self {
        Self::fixture().start("box")
    }

    /// Copies the fixture without starting a host, so that the test can change it first.
    pub fn fixture() -> Self {
        Self::fixture_in(&std::env::temp_dir())
    }

    /// Copies the fixture into a folder in `/tmp`, because wrapped output depends on the length of
    /// its paths.
    pub fn fixture_in_tmp() -> Self {
        Self::fixture_in(Path::new("/tmp"))
    }

    fn fixture_in(folder: &Path) -> Self {
        // Some tests run a program as another user, who must be able to read the fixture.
        unix::sys::stat::umask(Mode::from_bits_truncate(0o022));
        let dir = tempfile::Builder::new()
            .prefix("runtime-module-")
            .tempdir_in(folder)
            .expect("a temporary folder");
        let env = Self { dir };
        for folder in ["etc", "home", "root", "source/tests"] {
            fs::create_dir_all(env.path(folder)).expect("a folder");
        }
        fs::write(env.path("etc/nix.conf"), SETTINGS).expect("nix.conf");
        let repository = Path::new(REPOSITORY);
        copy(
            &repository.join("tests/minios"),
            &env.path("source/tests/minios"),
        );
        copy(&repository.join("nixos"), &env.path("source/nixos"));
        fs::copy(busybox(), env.fixture_path("busybox")).expect("a busybox in the fixture");
        env
    }

    /// Activates `host` on the empty root, with no module enabled.
    pub fn start(self, host: &str) -> Self {
        self.apply(&self.flake(), host).ok();
        self
    }

    /// Pins and activates `host` of a flake, without progress output.
    pub fn apply(&self, flake: &str, host: &str) -> Ran {
        self.run(&[
            "apply",
            "--flake",
            flake,
            "--host",
            host,
            "--progress",
            "off",
        ])
    }

    /// Replaces a module of the fixture. Call it before [`Self::start`], which pins the source.
    pub fn module(self, name: &str, text: &str) -> Self {
        self.edit(&format!("runtime/{name}.nix"), |_| text.to_string())
    }

    /// Replaces the module `slow` with one whose build waits until the file `gate` exists (see [`Self::open_gate`]).
    pub fn gated(self) -> Self {
        let gate = self.path("gate").display().to_string();
        let text = format!(
            r#"{{ pkgs, ... }}: {{
  environment.etc.gate.source = pkgs.runCommand "gate" {{ }} ''
    echo waiting
    while [ ! -e {gate} ]; do sleep 0.02; done
    echo open > $out
  '';
}}"#
        );
        self.module("slow", &text)
    }

    /// Lets the build that waits for the gate finish.
    pub fn open_gate(&self) {
        fs::write(self.path("gate"), "").expect("the gate");
    }

    /// Changes a file of the fixture.
    pub fn edit(self, file: &str, change: impl FnOnce(&str) -> String) -> Self {
        let path = self.fixture_path(file);
        let before = fs::read_to_string(&path).unwrap_or_default();
        let after = change(&before);
        assert_ne!(before, after, "the edit does not change {file}");
        fs::write(path, after).expect("the fixture changed");
        self
    }

    /// Returns a path below the temporary folder.
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// Returns a path in the machine's root.
    pub fn root(&self, path: &str) -> PathBuf {
        self.path("root").join(path)
    }

    /// Returns a path in the copy of the fixture.
    pub fn fixture_path(&self, path: &str) -> PathBuf {
        self.path("source/tests/minios").join(path)
    }

    /// Returns the flake reference of the fixture.
    pub fn flake(&self) -> String {
        format!("path:{}?dir=tests/minios", self.path("source").display())
    }

    /// Returns the URL of the store.
    pub fn store(&self) -> String {
        let at = |name| self.path(name).display().to_string();
        format!(
            "local?store={}&state={}&log={}",
            at("store"),
            at("state"),
            at("log")
        )
    }

    /// Returns a command that runs the program with these arguments, in a clean environment for
    /// this test.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.other(PROGRAM);
        command.args(arguments);
        command
    }

    /// Returns a command that runs another program in the same environment.
    pub fn other(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.path("home"))
            // A test must not depend on the machine's git settings.
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("NIX_CONF_DIR", self.path("etc"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("RUNTIME_MODULE_ROOT", self.path("root"))
            .env("RUNTIME_MODULE_STORE", self.store())
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs the program and waits until it exits.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.start_running(self.command(arguments)).end()
    }

    /// Like [`Self::run`], without progress output.
    pub fn quiet(&self, arguments: &[&str]) -> Ran {
        self.run(&[arguments, &["--progress", "off"]].concat())
    }

    /// Like [`Self::quiet`], with an injected fault.
    pub fn faulty(&self, fault: &str, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments.iter().chain(&["--progress", "off"]));
        command.env("RUNTIME_MODULE_FAULT", fault);
        self.start_running(command).end()
    }

    /// Runs the program with `--json` and parses the document that it prints.
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["--json"]].concat()).ok().json()
    }

    /// Runs git in a folder and returns its stdout.
    pub fn git(&self, folder: &Path, arguments: &[&str]) -> String {
        let mut git = self.other("git");
        git.current_dir(folder)
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(arguments);
        let output = git.output().expect("git");
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Starts a command in this environment.
    pub fn start_running(&self, command: Command) -> RunningProgram {
        RunningProgram::start(command, self.dir.path())
    }

    /// Finds the processes of this environment.
    pub fn processes(&self) -> Processes {
        Processes::of(self.dir.path())
    }

    /// Returns the content of the state file.
    pub fn state(&self) -> Value {
        read_json(&self.root("run/runtime-modules/state.json"))
    }

    /// Returns the toplevel of the running system.
    pub fn running(&self) -> PathBuf {
        fs::read_link(self.root("run/current-system")).expect("the link to the running system")
    }

    /// Replaces the running system without the program, as an external switch does.
    pub fn switch_by_hand(&self, toplevel: &Path) {
        let link = self.root("run/current-system");
        fs::remove_file(&link).expect("the old link");
        symlink(toplevel, link).expect("the new link");
    }

    /// Changes options in the baked configuration. The next switch replaces them with those of the
    /// new system.
    pub fn bake(&self, options: &[(&str, Value)]) {
        let path = self.root("etc/runtime-modules/config.json");
        let mut baked = read_json(&path);
        for (name, value) in options {
            assert!(baked.get(*name).is_some(), "{name} is not a baked option");
            baked[*name] = value.clone();
        }
        fs::remove_file(&path).expect("baked");
        fs::write(&path, baked.to_string()).expect("written");
    }

    /// Returns the content of the unit's file if the unit is started.
    pub fn unit(&self, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.root("run/minios/units").join(name)).ok()?;
        Some(text.trim().to_string())
    }

    /// Returns the content of a file in the machine's `/etc`.
    pub fn etc(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.root("etc").join(name)).ok()
    }

    /// Returns the modules that the state file lists as enabled.
    pub fn active(&self) -> Vec<String> {
        strings(&self.state()["active"])
    }

    /// Returns a snapshot of everything below the machine's root.
    pub fn everything(&self) -> Tree {
        Tree::of(&self.path("root"))
    }

    /// Returns the names of all store paths that are neither derivations nor sources.
    pub fn outputs(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("store")).expect("the store");
        let names = entries.map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        });
        let mut outputs: Vec<String> = names
            .filter(|name| {
                !name.ends_with(".drv") && !name.ends_with("-source") && !name.starts_with('.')
            })
            .collect();
        outputs.sort();
        outputs
    }

    /// Replaces everything in `text` that differs between runs.
    pub fn normalise(&self, text: &str) -> String {
        normalise(text, self.dir.path())
    }
}

impl Drop for TestEnv {
    fn drop(&mut self) {
        // A test that fails halfway must not leave processes running.
        self.processes().end();
    }
}

pub fn read_json(path: &Path) -> Value {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()));
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{}: {error}\n{text}", path.display()))
}

/// Returns the strings of a JSON list.
pub fn strings(value: &Value) -> Vec<String> {
    let list = value
        .as_array()
        .unwrap_or_else(|| panic!("not a list: {value}"));
    list.iter()
        .map(|one| one.as_str().unwrap_or_default().to_string())
        .collect()
}

/// Returns the static busybox that the fixture is built with.
fn busybox() -> PathBuf {
    let places = [
        Path::new(REPOSITORY).join("tests/minios/busybox"),
        "/bin/busybox".into(),
        "/usr/bin/busybox".into(),
    ];
    places
        .into_iter()
        .find(|path| path.exists())
        .expect("no static busybox: install busybox-static, or copy one to tests/minios/busybox")
}
