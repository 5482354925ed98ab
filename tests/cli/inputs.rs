//! Systems built with inputs other than those in their flake.lock. A change keeps the inputs, or is
//! refused.

mod graphs;
mod kept;
mod refused;
mod stored;

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Ran, TestEnv, copy, nix};

/// A host in a flake with inputs, built with nix.
struct TestHost {
    env: TestEnv,
    nix: PathBuf,
}

/// The host of these tests. The inputs determine its file `/etc/site`.
const HOST: &str = r#"{ self, ... }: {
  imports = [ ./base/nixos/runtime-modules ];
  system.stateVersion = "24.05";
  networking.hostName = "box";
  services.runtimeModules.enable = true;
  services.runtimeModules.flake = self;
  services.runtimeModules.modules.hello.module = ./hello.nix;
  services.runtimeModules.modules.empty.module = ./empty.nix;
}"#;

impl TestHost {
    /// Creates an environment without a host. If nix is missing, skips the test and returns `None`.
    fn new(test: &str) -> Option<Self> {
        let nix = nix(test)?;
        let env = TestEnv::fixture();
        Some(Self { env, nix })
    }

    /// Makes a folder with a flake.nix.
    fn flake(&self, name: &str, text: &str) -> PathBuf {
        let folder = self.env.path(name);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("flake.nix"), text).expect("a flake");
        folder
    }

    /// Makes a flake with the host `box`: `inputs` are its inputs, `text` is an expression for /etc/site.
    fn host(&self, name: &str, inputs: &str, text: &str) -> PathBuf {
        let flake = format!(
            r#"{{
  {inputs}
  outputs = inputs: {{
    nixosConfigurations.box = import ./base/tests/minios/eval-config.nix {{
      system = "x86_64-linux";
      specialArgs = {{ inherit (inputs) self; }};
      modules = [ ./host.nix {{ environment.etc.site.text = {text}; }} ];
    }};
  }};
}}"#
        );
        let folder = self.flake(name, &flake);
        copy(&self.env.path("source"), &folder.join("base"));
        for (file, text) in [
            ("host.nix", HOST),
            (
                "hello.nix",
                "{ environment.etc.hello.text = \"hello\\n\"; }",
            ),
            ("empty.nix", "{ }"),
        ] {
            fs::write(folder.join(file), text).expect("written");
        }
        folder
    }

    /// Runs nix and returns its stdout.
    fn nix(&self, arguments: &[&str]) -> String {
        let printed = self.try_nix(arguments);
        printed.unwrap_or_else(|said| panic!("nix {arguments:?}: {said}"))
    }

    fn try_nix(&self, arguments: &[&str]) -> Result<String, String> {
        let mut nix = self.env.other(&self.nix);
        nix.args(["--extra-experimental-features", "nix-command flakes"])
            .args(["--store", &self.env.store()])
            .args(arguments);
        let output = nix.output().expect("nix");
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_string()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    fn lock(&self, folder: &Path) {
        self.nix(&["flake", "lock", &reference(folder)]);
    }

    /// Builds and activates the host as `nixos-rebuild` does. Returns its toplevel.
    fn rebuild(&self, folder: &Path, arguments: &[&str]) -> PathBuf {
        let built = self.try_rebuild(folder, arguments);
        built.unwrap_or_else(|said| panic!("build {}: {said}", folder.display()))
    }

    /// Rebuilds the host from a flake that Nix may refuse.
    fn try_rebuild(&self, folder: &Path, arguments: &[&str]) -> Result<PathBuf, String> {
        let root = self.env.path("root");
        fs::remove_dir_all(&root).expect("removed");
        fs::create_dir_all(&root).expect("a folder");
        let of = format!(
            "{}#nixosConfigurations.box.config.system.build.toplevel",
            reference(folder)
        );
        let build = ["build", "--no-link", "--print-out-paths", &of];
        let toplevel = self.try_nix(&[&build[..], arguments].concat())?;
        let mut switch = self
            .env
            .other(format!("{toplevel}/bin/switch-to-configuration"));
        let switched = switch.arg("test").output().expect("a switch program");
        assert!(switched.status.success(), "{switched:?}");
        assert_eq!(self.env.running(), Path::new(&toplevel));
        Ok(toplevel.into())
    }

    /// Checks that an empty module evaluates to the running system. Then enables a module that
    /// adds a file, and checks that the base is kept, that `status` reports the same base, and
    /// that `reset` returns to it.
    fn keeps_the_base(&self) {
        let (env, base) = (&self.env, self.env.running());
        let site = env.etc("site");
        let empty = env.json(&["enable", "empty", "--dry-run"]);
        assert_eq!(
            empty["toplevel"],
            *base.to_str().expect("text"),
            "{empty:#}"
        );
        assert_eq!(empty["comparison"]["same"], true, "{empty:#}");
        self.quiet(&["enable", "hello"]).ok();
        assert_eq!(
            (env.etc("hello").as_deref(), env.etc("site")),
            (Some("hello\n"), site)
        );
        assert_eq!(env.json(&["status"])["baseStatus"], "same");
        self.quiet(&["reset"]).ok();
        assert_eq!(env.running(), base);
    }

    fn quiet(&self, arguments: &[&str]) -> Ran {
        self.env.quiet(arguments)
    }
}

/// Returns the flake reference of a folder.
fn reference(folder: &Path) -> String {
    format!("path:{}", folder.display())
}
