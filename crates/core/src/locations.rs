//! The paths of all files that the program reads and writes.

use std::path::{Path, PathBuf};

/// The paths of the program's files on one machine. In tests, they are below a directory that
/// replaces the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locations {
    root: PathBuf,
    cache: PathBuf,
}

impl Locations {
    /// Describes the paths below `root`, which is `/` on a real machine. `cache` is the cache folder
    /// of the calling user.
    pub fn new(root: impl Into<PathBuf>, cache: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            cache: cache.into(),
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns whether these are the paths of the real machine.
    pub fn is_real(&self) -> bool {
        self.root == Path::new("/")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Returns the path of the configuration that the NixOS module bakes in.
    pub fn baked(&self) -> PathBuf {
        self.at("etc/runtime-modules/config.json")
    }

    /// Returns the path of the directory for all data of this boot.
    pub fn run(&self) -> PathBuf {
        self.at("run/runtime-modules")
    }

    pub fn state(&self) -> PathBuf {
        self.run().join("state.json")
    }

    pub fn history(&self) -> PathBuf {
        self.run().join("history")
    }

    /// Returns the path of the history of this boot's option overrides.
    pub fn overrides_log(&self) -> PathBuf {
        self.run().join("overrides")
    }

    /// Returns the path of the file with the known effects of options.
    pub fn effects(&self) -> PathBuf {
        self.run().join("effects.json")
    }

    /// Returns the path of the directory of unit files that take precedence over those in `/etc`.
    pub fn runtime_units(&self) -> PathBuf {
        self.at("run/systemd/system.control")
    }

    /// Returns the path of the directory of unit files in which `systemctl mask --runtime` puts its
    /// links.
    pub fn runtime_mask_folder(&self) -> PathBuf {
        self.at("run/systemd/system")
    }

    /// Returns the path of an entry of `/etc`.
    pub fn etc(&self, name: &str) -> PathBuf {
        self.at("etc").join(name)
    }

    /// Returns the path of the lock for changes to the state.
    pub fn lock(&self) -> PathBuf {
        self.run().join("lock")
    }

    /// Returns the path of the file that describes the holder of the lock.
    pub fn holder(&self) -> PathBuf {
        self.run().join("holder")
    }

    /// Returns the path of the directory for the logs of transactions.
    pub fn logs(&self) -> PathBuf {
        self.run().join("log")
    }

    pub fn log(&self, transaction: &str) -> PathBuf {
        self.logs().join(format!("{transaction}.log"))
    }

    /// Returns the path of the request file of a transaction. The file exists until the activator
    /// takes the request.
    pub fn request(&self, transaction: &str) -> PathBuf {
        self.logs().join(format!("{transaction}.request"))
    }

    /// Returns the path of the outcome of a transaction, which the relay reads.
    pub fn outcome(&self, transaction: &str) -> PathBuf {
        self.logs().join(format!("{transaction}.outcome"))
    }

    /// Returns the path of the directory for the GC roots of this boot.
    pub fn roots(&self) -> PathBuf {
        self.run().join("roots")
    }

    /// Returns the path of the directory for the GC roots of option overrides that survive reboots.
    pub fn kept_roots(&self) -> PathBuf {
        self.at("var/lib/runtime-modules/roots")
    }

    /// Returns the path of the list of requested modules, which survives reboots.
    pub fn wanted(&self) -> PathBuf {
        self.at("var/lib/runtime-modules/wanted.json")
    }

    /// Returns the path of the option overrides that survive reboots.
    pub fn kept_overrides(&self) -> PathBuf {
        self.at("var/lib/runtime-modules/overrides.json")
    }

    /// Returns the path of the file with the parameters of the running kernel.
    pub fn kernel_parameters(&self) -> PathBuf {
        self.at("proc/cmdline")
    }

    /// Returns the path of the link to the running system, which NixOS sets.
    pub fn current_system(&self) -> PathBuf {
        self.at("run/current-system")
    }

    /// Returns the path of the directory for cached results of evaluations.
    pub fn results(&self) -> PathBuf {
        self.cache.join("results")
    }

    /// Returns the path of the link to the booted system, which NixOS sets.
    pub fn booted_system(&self) -> PathBuf {
        self.at("run/booted-system")
    }

    /// Returns the path of the profile that contains the system of the next boot.
    pub fn system_profile(&self) -> PathBuf {
        self.at("nix/var/nix/profiles/system")
    }

    /// Returns the path of the directory in which NixOS's own tools look for a configuration.
    pub fn nixos_folder(&self) -> PathBuf {
        self.at("etc/nixos")
    }

    /// Returns the path of the lock of NixOS's own switch program.
    pub fn switch_lock(&self) -> PathBuf {
        self.at("run/nixos/switch-to-configuration.lock")
    }

    /// Returns the path of the directory for the option names that completion offers.
    pub fn option_names(&self) -> PathBuf {
        self.cache.join("options")
    }

    /// Returns the path of the directory for the estimates of evaluations, which progress bars use.
    pub fn estimates(&self) -> PathBuf {
        self.cache.join("estimates")
    }
}
