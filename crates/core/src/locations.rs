//! The paths of all files that the program reads and writes.

use std::path::{Path, PathBuf};

/// The paths of one machine, or of a directory that takes its place in tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locations {
    root: PathBuf,
    cache: PathBuf,
}

impl Locations {
    /// Makes paths below `root` (`/` on a real machine). The cache belongs to the calling user.
    pub fn new(root: impl Into<PathBuf>, cache: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            cache: cache.into(),
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns whether this is the real machine.
    pub fn is_real(&self) -> bool {
        self.root == Path::new("/")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Configuration that the NixOS module bakes in.
    pub fn baked(&self) -> PathBuf {
        self.at("etc/runtime-modules/config.json")
    }

    /// Directory for everything about this boot.
    pub fn run(&self) -> PathBuf {
        self.at("run/runtime-modules")
    }

    pub fn state(&self) -> PathBuf {
        self.run().join("state.json")
    }

    pub fn history(&self) -> PathBuf {
        self.run().join("history")
    }

    /// History of option overrides of this boot.
    pub fn overrides_log(&self) -> PathBuf {
        self.run().join("overrides")
    }

    /// Lock for changes of the state.
    pub fn lock(&self) -> PathBuf {
        self.run().join("lock")
    }

    /// Description of the lock's holder.
    pub fn holder(&self) -> PathBuf {
        self.run().join("holder")
    }

    /// Directory for logs of transactions.
    pub fn logs(&self) -> PathBuf {
        self.run().join("log")
    }

    pub fn log(&self, transaction: &str) -> PathBuf {
        self.logs().join(format!("{transaction}.log"))
    }

    /// Request to the activator, until the activator takes it.
    pub fn request(&self, transaction: &str) -> PathBuf {
        self.logs().join(format!("{transaction}.request"))
    }

    /// Outcome of a transaction, for the relay.
    pub fn outcome(&self, transaction: &str) -> PathBuf {
        self.logs().join(format!("{transaction}.outcome"))
    }

    /// Directory for GC roots of this boot.
    pub fn roots(&self) -> PathBuf {
        self.run().join("roots")
    }

    /// Directory for GC roots of option overrides that survive reboots.
    pub fn kept_roots(&self) -> PathBuf {
        self.at("var/lib/runtime-modules/roots")
    }

    /// Requested modules, which survive reboots.
    pub fn wanted(&self) -> PathBuf {
        self.at("var/lib/runtime-modules/wanted.json")
    }

    /// Option overrides that survive reboots.
    pub fn kept_overrides(&self) -> PathBuf {
        self.at("var/lib/runtime-modules/overrides.json")
    }

    /// Parameters of the running kernel.
    pub fn kernel_parameters(&self) -> PathBuf {
        self.at("proc/cmdline")
    }

    /// Link to the running system, which NixOS sets.
    pub fn current_system(&self) -> PathBuf {
        self.at("run/current-system")
    }

    /// Directory for cached results of evaluation.
    pub fn results(&self) -> PathBuf {
        self.cache.join("results")
    }

    /// Link to the booted system, which NixOS sets.
    pub fn booted_system(&self) -> PathBuf {
        self.at("run/booted-system")
    }

    /// The lock of NixOS's own switch program.
    pub fn switch_lock(&self) -> PathBuf {
        self.at("run/nixos/switch-to-configuration.lock")
    }

    /// Directory for the options that completion offers.
    pub fn option_names(&self) -> PathBuf {
        self.cache.join("options")
    }

    /// Directory for the estimates that progress bars need.
    pub fn estimates(&self) -> PathBuf {
        self.cache.join("estimates")
    }
}
