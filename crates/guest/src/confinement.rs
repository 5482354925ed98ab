//! The role `__child`: prepares the process of QEMU or virtiofsd, and then becomes that program.
//!
//! - The kernel kills the program when its parent, the supervisor, ends for any reason.
//! - The limit of open files is as high as this user may set it, because virtiofsd keeps each file
//!   open that the guest's kernel remembers.
//! - A read-only share is mounted read-only in a mount namespace of its own, so that not even a root
//!   user in the guest can write to the store. Ordinary users get a user namespace first.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use unix::mount::{MsFlags, mount};
use unix::sched::{CloneFlags, unshare};
use unix::sys::prctl::set_pdeathsig;
use unix::sys::resource::{Resource, getrlimit, setrlimit};
use unix::sys::signal::Signal;
use unix::sys::statvfs::{FsFlags, statvfs};
use unix::unistd::{getegid, geteuid, getppid};

/// The view of the file system that a process gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// The same as the supervisor's.
    Same,
    /// A user namespace in which an ordinary user is root, for the older virtiofsd.
    User,
    /// This folder is read-only.
    ReadOnly(PathBuf),
}

/// The process to prepare.
#[derive(Clone, Debug)]
pub struct ChildRole {
    pub parent: i32,
    pub namespace: Namespace,
    pub program: OsString,
    pub arguments: Vec<OsString>,
}

/// The options of the role that choose a namespace. The first one has a folder as its value.
pub const READ_ONLY: &str = "--read-only";
pub const USER_NAMESPACE: &str = "--user-namespace";

/// Becomes the program. Returns only on failure.
pub fn become_program(role: &ChildRole) -> Result<u8> {
    raise_file_limit();
    match &role.namespace {
        Namespace::Same => {}
        Namespace::User => drop(enter_user_namespace()?),
        Namespace::ReadOnly(folder) => make_read_only(folder)
            .with_context(|| format!("cannot mount {} read-only", folder.display()))?,
    }
    // A new user namespace would clear this setting.
    set_pdeathsig(Signal::SIGKILL).context("cannot bind a process to its parent")?;
    if getppid().as_raw() != role.parent {
        bail!("the supervisor ended before its child started");
    }
    let error = Command::new(&role.program).args(&role.arguments).exec();
    Err(error).with_context(|| format!("cannot start {}", Path::new(&role.program).display()))
}

/// The capability that allows a process to raise its limits (`linux/capability.h`).
const CAP_SYS_RESOURCE: u64 = 24;

/// Returns the number of files that a child process of this one will be able to keep open.
pub fn file_limit() -> Option<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let capabilities = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    let capabilities = u64::from_str_radix(capabilities.trim(), 16).ok()?;
    match capabilities >> CAP_SYS_RESOURCE & 1 {
        0 => Some(hard),
        _ => kernel_limit().or(Some(hard)),
    }
}

fn kernel_limit() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/sys/fs/nr_open").ok()?;
    text.trim().parse().ok()
}

/// Sets the limit of open files to the highest value that this user may set.
fn raise_file_limit() {
    let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    let most = kernel_limit().unwrap_or(hard).max(hard);
    // Only root may raise the hard limit.
    let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most)
        .or_else(|_| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
}

/// Mounts a folder read-only in a new mount namespace.
fn make_read_only(folder: &Path) -> Result<()> {
    if geteuid().is_root() {
        unshare(CloneFlags::CLONE_NEWNS).context("cannot make a mount namespace")?;
    } else if !enter_user_namespace()? {
        // Without a namespace, the permissions of this user still apply.
        return Ok(());
    }
    let none: Option<&str> = None;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(none, "/", none, private, none).context("cannot separate the mounts")?;
    let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(folder), folder, none, bind, none).context("cannot mount the folder")?;
    let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    let flags = read_only | kept_flags(folder)?;
    mount(none, folder, none, flags, none).context("cannot make the mount read-only")?;
    Ok(())
}

/// Enters a user namespace in which this user is root. Returns whether the kernel allows this.
fn enter_user_namespace() -> Result<bool> {
    let (user, group) = (geteuid(), getegid());
    if unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS).is_err() {
        return Ok(false);
    }
    for (file, text) in [
        ("setgroups", "deny".to_string()),
        ("uid_map", format!("0 {user} 1")),
        ("gid_map", format!("0 {group} 1")),
    ] {
        std::fs::write(Path::new("/proc/self").join(file), text)
            .with_context(|| format!("cannot write /proc/self/{file}"))?;
    }
    Ok(true)
}

/// Returns the flags of a mount that a user namespace may not remove (mount_namespaces(7)).
fn kept_flags(folder: &Path) -> Result<MsFlags> {
    let present = statvfs(folder)
        .context("cannot read the flags of the mount")?
        .flags();
    let kept = [
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ];
    let kept = kept.into_iter().filter(|(flag, _)| present.contains(*flag));
    Ok(kept.fold(MsFlags::empty(), |all, (_, flag)| all | flag))
}
