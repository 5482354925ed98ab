//! The plan of a guest: everything that its supervisor needs, as plain data.
//!
//! [`GuestPlan::new`] checks the request of the user. It starts nothing and writes nothing.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use runtime_module_core::store::LocalStore;
use serde::{Deserialize, Serialize};

use crate::boot_json::BootJson;
use crate::command::{Accelerator, GuestOptions};
use crate::error::GuestError;
use crate::name::GuestName;

/// The tag of the store, and that of the kernel's modules (`nixos/guests/lib.nix`).
const STORE_TAG: &str = "store";
const MODULES_TAG: &str = "modules";

/// The maximum length of a virtiofs tag in bytes (Linux, `struct virtio_fs_config`).
const TAG_LIMIT: usize = 36;

/// The bytes at 0x202 of every bzImage (Linux, `Documentation/arch/x86/boot.rst`).
const BZIMAGE_MAGIC: &[u8] = b"HdrS";

/// A folder of the host that the guest can mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub tag: String,
    pub folder: PathBuf,
    pub read_only: bool,
}

/// A guest to start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuestPlan {
    pub name: GuestName,
    /// The path of the system, as the guest sees it.
    pub system: String,
    pub label: String,
    pub kernel: PathBuf,
    pub initrd: Option<PathBuf>,
    /// The kernel's command line.
    pub command_line: String,
    /// The mount point of the store in the guest.
    pub store_mount: String,
    pub shares: Vec<Share>,
    /// The memory in MiB.
    pub memory: u64,
    pub cpus: u32,
    /// The port of the host that leads to the guest's sshd.
    pub ssh_port: u16,
    pub accelerator: Accelerator,
    /// The port for a debugger.
    pub gdb: Option<u16>,
    /// The URL of the store.
    pub store: Option<String>,
}

/// A system to start, in the store or in another folder.
#[derive(Clone, Debug)]
pub struct GuestSystem {
    /// The path, as the guest sees it.
    pub path: String,
    /// The folder on disk.
    pub real: PathBuf,
}

impl GuestSystem {
    /// Finds a system by the path that the user passed, which can be a link into the store.
    pub fn find(argument: &Path, store: Option<&str>) -> Result<Self> {
        let store = LocalStore::of(store)?;
        let missing = || GuestError::NoSuchSystem {
            path: argument.display().to_string(),
        };
        // The result of a build in another root is a link to a path that does not exist here.
        let target = std::fs::read_link(argument).unwrap_or_else(|_| argument.into());
        let real = target.to_str().and_then(|path| store.real_path(path));
        if let Some(real) = real.filter(|real| real.is_dir()) {
            let path = target.display().to_string();
            return Ok(Self { path, real });
        }
        let real = argument.canonicalize().map_err(|_| missing())?;
        let path = store
            .path_of(&real)
            .unwrap_or_else(|| real.display().to_string());
        Ok(Self { path, real })
    }
}

impl GuestPlan {
    /// Plans a guest from its system and the options of the user.
    pub fn new(name: GuestName, system: &GuestSystem, options: &GuestOptions) -> Result<Self> {
        let boot = BootJson::read(&system.real)?;
        let store = LocalStore::of(options.store.as_deref())?;
        let on_disk = |path: &str| store.file(path).unwrap_or_else(|| path.into());
        if !exists(&on_disk(&boot.init)) {
            return Err(missing_file("init", &boot.init));
        }
        let initrd = match (&options.initrd, &boot.initrd) {
            (Some(initrd), _) => Some(initrd.clone()),
            (None, initrd) => initrd.as_deref().map(on_disk),
        };
        if let Some(missing) = initrd.as_deref().filter(|path| !path.is_file()) {
            return Err(missing_file("initrd", &missing.display().to_string()));
        }
        let kernel = match (&options.kernel, &boot.kernel) {
            (Some(kernel), _) => kernel.clone(),
            (None, Some(kernel)) => on_disk(kernel),
            (None, None) => return Err(GuestError::NoKernel.into()),
        };
        check_kernel(&kernel)?;
        let shares = shares(&boot, options, store.real_folder())?;
        let store_mount = boot.virtiofs.get(STORE_TAG).cloned();
        Ok(Self {
            name,
            system: system.path.clone(),
            label: boot.label.clone(),
            kernel: kernel.canonicalize().context("cannot find the kernel")?,
            initrd,
            command_line: command_line(&boot, &options.append),
            store_mount: store_mount.unwrap_or_else(|| "/nix/store".into()),
            shares,
            memory: options.memory,
            cpus: options.cpus,
            ssh_port: options.ssh.unwrap_or_default(),
            accelerator: options.accelerator,
            gdb: options.gdb,
            store: options.store.clone(),
        })
    }
}

/// Returns whether a file exists. A link counts, because its target may exist only in the guest.
fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn missing_file(what: &str, path: &str) -> anyhow::Error {
    GuestError::MissingBootFile {
        what: what.into(),
        path: path.into(),
    }
    .into()
}

fn check_kernel(kernel: &Path) -> Result<()> {
    let mut head = [0; 0x206];
    let read = std::fs::File::open(kernel).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => missing_file("kernel", &kernel.display().to_string()),
        _ => anyhow::Error::from(error).context(format!("cannot read {}", kernel.display())),
    })?;
    let read = std::io::BufReader::new(read).read_exact(&mut head);
    if read.is_err() || !head.ends_with(BZIMAGE_MAGIC) {
        let path = kernel.display().to_string();
        return Err(GuestError::NotAKernel { path }.into());
    }
    Ok(())
}

/// Returns the kernel's command line. Later parameters override earlier ones, so the user's are
/// last.
fn command_line(boot: &BootJson, append: &[String]) -> String {
    // The kernel's first messages have the level `notice`, and NixOS hides them by default. They
    // show when the kernel starts.
    let ours = [format!("init={}", boot.init)];
    let messages = ["loglevel=6".to_string()];
    let all = ours.iter().chain(&boot.kernel_params).chain(&messages);
    all.chain(append).cloned().collect::<Vec<_>>().join(" ")
}

/// Returns the folders to share: each tag that the guest mounts, and additional ones of the user.
fn shares(boot: &BootJson, options: &GuestOptions, store: &Path) -> Result<Vec<Share>> {
    let mut folders: BTreeMap<&str, PathBuf> = BTreeMap::new();
    for (tag, folder) in &options.shares {
        check_tag(tag)?;
        if folders.insert(tag, folder.clone()).is_some() {
            return Err(GuestError::TagTwice { tag: tag.clone() }.into());
        }
    }
    if let Some(modules) = &options.modules {
        folders.insert(MODULES_TAG, modules.clone());
    }
    folders.entry(STORE_TAG).or_insert_with(|| store.into());
    let lacking = boot
        .virtiofs
        .iter()
        .filter(|(tag, _)| !folders.contains_key(tag.as_str()));
    let lacking: Vec<String> = lacking.map(|(tag, at)| format!("{tag} ({at})")).collect();
    if !lacking.is_empty() {
        let tags = lacking.join(", ");
        return Err(GuestError::MissingShares { tags }.into());
    }
    let share = |(tag, folder): (&str, PathBuf)| match folder.canonicalize() {
        Ok(real) if real.is_dir() => Ok(Share {
            tag: tag.into(),
            folder: real,
            read_only: [STORE_TAG, MODULES_TAG].contains(&tag),
        }),
        _ => Err(GuestError::NoSuchShare {
            tag: tag.into(),
            folder: folder.display().to_string(),
        }
        .into()),
    };
    folders.into_iter().map(share).collect()
}

fn check_tag(tag: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    match !tag.is_empty() && tag.len() <= TAG_LIMIT && tag.chars().all(allowed) {
        true => Ok(()),
        false => Err(GuestError::BadTag { tag: tag.into() }.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(tags: &[(&str, &str)]) -> BootJson {
        BootJson {
            label: "NixOS".into(),
            init: "/nix/store/x/init".into(),
            initrd: None,
            kernel: None,
            kernel_params: vec!["console=ttyS0,115200".into(), "loglevel=4".into()],
            virtiofs: tags
                .iter()
                .map(|(tag, at)| ((*tag).into(), (*at).into()))
                .collect(),
        }
    }

    #[test]
    fn later_parameters_override_earlier_ones() {
        let line = command_line(&boot(&[]), &["loglevel=8".into(), "init=/bin/sh".into()]);
        assert_eq!(
            line,
            "init=/nix/store/x/init console=ttyS0,115200 loglevel=4 loglevel=6 loglevel=8 init=/bin/sh"
        );
    }

    #[test]
    fn shares_that_the_guest_mounts_must_exist() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path();
        let mut options = GuestOptions::default();
        let of = |options: &GuestOptions, tags: &[(&str, &str)]| {
            shares(&boot(tags), options, store).map_err(|error| error.to_string())
        };
        assert_eq!(of(&options, &[]).expect("the store").len(), 1);
        let error = of(&options, &[("src", "/mnt"), ("modules", "/lib/modules")]);
        assert!(
            error
                .expect_err("missing")
                .ends_with("modules (/lib/modules), src (/mnt)")
        );
        options.shares.push(("src".into(), store.join("missing")));
        of(&options, &[]).expect_err("the folder is missing");
        options.shares = vec![("src".into(), store.into())];
        options.modules = Some(store.into());
        let found = of(&options, &[("src", "/mnt")]).expect("complete");
        let modes: Vec<_> = found
            .iter()
            .map(|one| (one.tag.as_str(), one.read_only))
            .collect();
        assert_eq!(modes, [("modules", true), ("src", false), ("store", true)]);
        options.shares.push(("src".into(), store.into()));
        of(&options, &[]).expect_err("twice");
        for tag in ["", "a,b", "a b", &"x".repeat(37)] {
            options.shares = vec![(tag.into(), store.into())];
            of(&options, &[]).expect_err(tag);
        }
    }

    #[test]
    fn other_files_are_not_kernels() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        check_kernel(file.path()).expect_err("empty");
        std::fs::write(file.path(), [0; 4096]).expect("written");
        check_kernel(file.path()).expect_err("zeros");
        check_kernel(Path::new("/nonexistent")).expect_err("missing");
    }
}
