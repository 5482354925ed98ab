//! Where everything lies on disk. Nothing else in the program writes a path down.

use std::path::{Path, PathBuf};

/// The files of one machine, or of a scratch root that stands for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locations {
    root: PathBuf,
    cache: PathBuf,
}

impl Locations {
    /// Everything below `root` (`/` on a real machine); the cache is the invoking user's.
    pub fn new(root: impl Into<PathBuf>, cache: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            cache: cache.into(),
        }
    }

    /// The root itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether this is the real machine.
    pub fn is_real(&self) -> bool {
        self.root == Path::new("/")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// What the NixOS module baked.
    pub fn baked(&self) -> PathBuf {
        self.at("etc/runtime-modules/config.json")
    }

    /// Everything of this boot.
    pub fn run(&self) -> PathBuf {
        self.at("run/runtime-modules")
    }

    /// The state.
    pub fn state(&self) -> PathBuf {
        self.run().join("state.json")
    }

    /// The history.
    pub fn history(&self) -> PathBuf {
        self.run().join("history")
    }

    /// The lock of whoever changes the state.
    pub fn lock(&self) -> PathBuf {
        self.run().join("lock")
    }

    /// What whoever has the lock says of itself.
    pub fn holder(&self) -> PathBuf {
        self.run().join("holder")
    }

    /// Logs of switches.
    pub fn logs(&self) -> PathBuf {
        self.run().join("log")
    }

    /// The log of a transaction.
    pub fn log(&self, transaction: &str) -> PathBuf {
        self.logs().join(format!("{transaction}.log"))
    }

    /// What the activator is asked for, until it takes it.
    pub fn request(&self, transaction: &str) -> PathBuf {
        self.logs().join(format!("{transaction}.request"))
    }

    /// How a transaction ended, for whoever followed it.
    pub fn outcome(&self, transaction: &str) -> PathBuf {
        self.logs().join(format!("{transaction}.outcome"))
    }

    /// GC roots of this boot.
    pub fn roots(&self) -> PathBuf {
        self.run().join("roots")
    }

    /// What the user wants over reboots.
    pub fn wanted(&self) -> PathBuf {
        self.at("var/lib/runtime-modules/wanted.json")
    }

    /// The system that runs, as NixOS says.
    pub fn current_system(&self) -> PathBuf {
        self.at("run/current-system")
    }

    /// Results of evaluation.
    pub fn results(&self) -> PathBuf {
        self.cache.join("results")
    }

    /// The system that was booted, as NixOS says.
    pub fn booted_system(&self) -> PathBuf {
        self.at("run/booted-system")
    }

    /// The lock of NixOS's own switch program.
    pub fn switch_lock(&self) -> PathBuf {
        self.at("run/nixos/switch-to-configuration.lock")
    }

    /// How long things took last time, for the bars.
    pub fn estimates(&self) -> PathBuf {
        self.cache.join("estimates")
    }
}
