//! A flake with one host that needs nothing outside its own folder, for tests of the location and
//! the form of a flake.

use std::fs;
use std::path::{Path, PathBuf};

use super::{TestEnv, copy};

/// A function that makes a host: `mini [ MODULE … ]`.
const MAKES_HOSTS: &str = r#"mini = modules: import (base + "/tests/minios/eval-config.nix") {
        system = "x86_64-linux";
        specialArgs = { inherit self; };
        inherit modules;
      };"#;

/// A folder with `flake.nix`, `host.nix`, `hello.nix` and, in `base`, minios and our NixOS module.
pub struct Site {
    folder: PathBuf,
}

impl Site {
    /// Creates a flake whose host `box` is in `nixosConfigurations`.
    pub fn new(env: &TestEnv, folder: &str) -> Self {
        Self::with(
            env,
            folder,
            "{ nixosConfigurations.box = mini [ ./host.nix ]; }",
        )
    }

    /// Creates a flake with these outputs, in which `mini [ … ]` makes a host.
    pub fn with(env: &TestEnv, folder: &str, outputs: &str) -> Self {
        let site = Self {
            folder: env.path(folder),
        };
        fs::create_dir_all(&site.folder).expect("a folder");
        copy(&env.path("source"), &site.folder.join("base"));
        site.write(
            "hello.nix",
            "# Says hello\n{ environment.etc.hello.text = \"hello\\n\"; }\n",
        );
        site.write(
            "host.nix",
            "{ self, ... }: {
  imports = [ ./base/nixos/runtime-modules ];
  system.stateVersion = \"24.05\";
  networking.hostName = \"box\";
  services.runtimeModules = {
    enable = true;
    flake = self;
    modules.hello = ./hello.nix;
  };
}
",
        );
        site.outputs("", "base = ./base;", outputs);
        site
    }

    /// Replaces `flake.nix`. `inputs` is the text before the outputs; `base` defines the location
    /// of minios.
    pub fn outputs(&self, inputs: &str, base: &str, outputs: &str) {
        let text = format!(
            "{{\n  {inputs}\n  outputs = {{ self, ... }}@inputs: let\n      {base}\n      {MAKES_HOSTS}\n    in {outputs};\n}}\n"
        );
        self.write("flake.nix", &text);
    }

    /// Writes a file in the flake.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.folder.join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("written");
    }

    /// Turns the folder into a git repository if necessary, and commits everything.
    pub fn commit(&self, env: &TestEnv) {
        if !self.folder.join(".git").exists() {
            env.git(&self.folder, &["init", "-q"]);
        }
        env.git(&self.folder, &["add", "--force", "."]);
        env.git(&self.folder, &["commit", "-q", "-m", "all of it"]);
    }

    /// Returns the folder of the flake.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Returns a `path:` reference to the flake.
    pub fn reference(&self) -> String {
        format!("path:{}", self.folder.display())
    }
}
