//! The lock for changes to the state, and a file that describes the holder of the lock. The kernel
//! releases the lock when the holder's process ends.
//!
//! Any user who can open a file can lock it. For this reason, only root can open the lock file, so
//! that other users cannot block changes. Checking whether the lock is held does not take the lock,
//! because that could block a real request.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use unix::errno::Errno;
use unix::fcntl::{Flock, FlockArg};
use unix::sys::signal::kill;
use unix::sys::stat::{major, minor};
use unix::sys::statfs::{BTRFS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, statfs};
use unix::unistd::{Pid, getpgid};

use super::disk::{absent, make_folder, write_error};
use crate::error::{Failed, TransactionError};
use crate::fault::{self, Point};
use crate::locations::Locations;

/// The lock. It is held until this value is dropped.
pub struct LockGuard {
    _file: Flock<File>,
}

/// The interval between two attempts to take a lock.
const AGAIN: Duration = Duration::from_millis(50);

/// Takes the lock for `purpose`. If this takes longer than `wait`, fails and names the holder.
pub fn hold(locations: &Locations, purpose: &str, wait: Duration) -> Result<LockGuard> {
    make_folder(&locations.run())?;
    let path = locations.lock();
    let mut file = open(&path)
        .map_err(|error| write_error(error, format!("cannot open the lock {}", path.display())))?;
    let begun = Instant::now();
    let file = loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => break file,
            Err((back, Errno::EWOULDBLOCK)) if begun.elapsed() < wait => {
                file = back;
                std::thread::sleep(AGAIN);
            }
            Err((_, Errno::EWOULDBLOCK)) => return Err(held(locations).into()),
            Err((_, error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
    };
    // Ignore errors: if the disk is full, the lock is still held, and the kernel still knows its
    // holder.
    let _ = name_us(locations, purpose);
    Ok(LockGuard { _file: file })
}

/// Opens the lock file. Corrects its mode, because an earlier release made the file readable by all
/// users.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(unix::libc::O_NOFOLLOW)
        .open(path)?;
    if file.metadata()?.mode() & 0o777 != 0o600 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

/// Describes the holder of the lock in a file that all users may read. Removes the old file first,
/// because the file must never describe a process that no longer holds the lock.
fn name_us(locations: &Locations, purpose: &str) -> io::Result<()> {
    let path = locations.holder();
    absent(&path)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .custom_flags(unix::libc::O_NOFOLLOW)
        .open(&path)?;
    // Set the mode explicitly, because the umask of root is unknown.
    file.set_permissions(Permissions::from_mode(0o644))?;
    let name = format!("{purpose} {}\n", numbered(std::process::id()));
    fault::write(Point::WriteLock, &mut file, name.as_bytes())
}

/// Formats a process ID for a message.
fn numbered(process: u32) -> String {
    format!("(process {process})")
}

/// Fails if the lock is held. Callers check this before any work, so that no work is wasted.
pub fn not_held(locations: &Locations) -> Result<(), Failed> {
    match holder(locations) {
        Some(holder) => Err(held_by(&holder)),
        None => Ok(()),
    }
}

fn held(locations: &Locations) -> Failed {
    held_by(&holder(locations).unwrap_or_else(|| "another run".into()))
}

fn held_by(holder: &str) -> Failed {
    let holder = holder.into();
    TransactionError::LockHeld { holder }.into()
}

/// Returns the description of the lock's holder, or `None` if the lock is not held.
pub fn holder(locations: &Locations) -> Option<String> {
    let words = fs::read_to_string(locations.holder()).unwrap_or_default();
    // Reading the kernel's list of locks takes milliseconds. So skip it if the process in the
    // description has exited.
    if named(&words).is_some_and(has_ended) {
        return None;
    }
    let process = process_locking(&locations.lock())?;
    Some(match named(&words) {
        Some(named) if named == process => words.trim().to_string(),
        // The holder could not write its description, or has not written it yet.
        _ => format!("another run {}", numbered(process)),
    })
}

/// Returns the process ID in the description of a holder, if the description is complete.
pub fn named(words: &str) -> Option<u32> {
    let (_, number) = words.strip_suffix(")\n")?.rsplit_once("(process ")?;
    number.parse().ok()
}

/// Returns whether a process no longer exists. A process that we are not allowed to signal still
/// exists.
fn has_ended(process: u32) -> bool {
    i32::try_from(process)
        .is_ok_and(|process| kill(Pid::from_raw(process), None) == Err(Errno::ESRCH))
}

/// Waits until the lock of NixOS's own switch program is free. If this takes longer than `wait`,
/// fails and names the holder.
///
/// While the lock is held, newer switch programs refuse to run, and older ones wait silently.
pub fn no_foreign_switch(locations: &Locations, purpose: &str, wait: Duration) -> Result<()> {
    let path = locations.switch_lock();
    let begun = Instant::now();
    while let Some(process) = process_locking(&path) {
        if begun.elapsed() >= wait {
            let name = fs::read_to_string(format!("/proc/{process}/comm"));
            let name = name.unwrap_or_else(|_| "a process".into());
            return Err(TransactionError::SwitchRunning {
                purpose: purpose.into(),
                holder: format!("{} {}", name.trim(), numbered(process)),
                lock: path.display().to_string(),
            }
            .into());
        }
        std::thread::sleep(AGAIN);
    }
    Ok(())
}

/// Returns whether the lock of NixOS's own switch program is held by a running process that is not
/// in the process group `group`.
pub fn switches_elsewhere(locations: &Locations, group: Pid) -> bool {
    let holder = process_locking(&locations.switch_lock());
    let holder = holder.and_then(|process| i32::try_from(process).ok());
    // Ignore a holder that has exited, because an unknown process may have inherited its lock.
    holder.is_some_and(|process| {
        getpgid(Some(Pid::from_raw(process))).is_ok_and(|found| found != group)
    })
}

/// Returns the process that holds a lock on a file, according to the kernel. Returns `None` if the
/// file does not exist.
fn process_locking(path: &Path) -> Option<u32> {
    let found = fs::metadata(path).ok()?;
    let (device, node) = (found.dev(), found.ino());
    let exact = format!("{:02x}:{:02x}:{node}", major(device), minor(device));
    // `/proc/locks` shows the device of the file system. On Btrfs and overlayfs, `stat` returns a
    // different device, so compare only the inode numbers.
    let kind = statfs(path).map(|system| system.filesystem_type());
    let anywhere =
        kind.is_ok_and(|kind| [BTRFS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC].contains(&kind));
    let is_it = |file: &str| match anywhere {
        true => file.rsplit(':').next() == exact.rsplit(':').next(),
        false => file == exact,
    };
    for _ in 0..READS {
        let (list, whole) = kernels_locks().ok()?;
        let found = process_in(&list, is_it);
        if found.is_some() || whole {
            return found;
        }
    }
    None
}

/// The maximum number of times to read the list of locks. If the list arrives in several parts, a
/// lock may move within the list between two parts and be missed. This is very unlikely to happen
/// in all attempts.
const READS: u32 = 8;

/// Reads the kernel's list of locks. The kernel returns the list page by page (Linux,
/// `fs/seq_file.c`), so this function also returns whether the list arrived in one part.
fn kernels_locks() -> io::Result<(String, bool)> {
    let mut file = File::open("/proc/locks")?;
    let mut list = Vec::new();
    let mut parts = 0;
    let mut page = [0; 1 << 16];
    loop {
        match file.read(&mut page)? {
            0 => return Ok((String::from_utf8_lossy(&list).into_owned(), parts <= 1)),
            length => list.extend_from_slice(&page[..length]),
        }
        parts += 1;
    }
}

/// Returns the process that holds the first `flock` lock whose file matches. Ignores processes that
/// are still waiting for a lock (`->`).
pub fn process_in(locks: &str, is_it: impl Fn(&str) -> bool) -> Option<u32> {
    locks.lines().find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        match columns[..] {
            [_, "FLOCK", _, _, process, file, ..] if is_it(file) => process.parse().ok(),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn place() -> (tempfile::TempDir, Locations) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let locations = Locations::new(dir.path(), dir.path().join("cache"));
        (dir, locations)
    }

    fn take(locations: &Locations, purpose: &str) -> Result<LockGuard> {
        hold(locations, purpose, Duration::ZERO)
    }

    #[test]
    fn held_lock_names_its_holder() {
        let (_dir, locations) = place();
        let held = take(&locations, "enable hello").expect("free");
        let Err(error) = hold(&locations, "disable hello", Duration::from_millis(60)) else {
            panic!("the lock was not held");
        };
        assert_eq!(
            format!("{error:#}"),
            format!(
                "another transaction is running: enable hello (process {})",
                std::process::id()
            )
        );
        drop(held);
        hold(&locations, "disable hello", Duration::from_millis(60)).expect("free again");
    }

    #[test]
    fn lock_is_private_and_its_holder_is_public() {
        let (_dir, locations) = place();
        let mode = |path: &Path| fs::metadata(path).expect("a file").mode() & 0o777;
        for _ in 0..2 {
            let _held = take(&locations, "enable hello").expect("free");
            assert_eq!(mode(&locations.lock()), 0o600);
            assert_eq!(mode(&locations.holder()), 0o644);
            // Restore the mode that an earlier release used.
            let open = Permissions::from_mode(0o644);
            fs::set_permissions(locations.lock(), open).expect("the mode is set");
        }
    }

    #[test]
    fn holder_is_known_even_without_its_name() {
        let (dir, locations) = place();
        assert_eq!(holder(&locations), None);
        let held = take(&locations, "enable hello").expect("free");
        let own = std::process::id();
        let words = format!("enable hello (process {own})\n");
        assert_eq!(holder(&locations).as_deref(), Some(words.trim()));
        // The file is empty or truncated, or describes another process.
        for found in ["", &words[..words.len() - 3], "enable web (process 1)\n"] {
            fs::write(locations.holder(), found).expect("written");
            let told = format!("another run (process {own})");
            assert_eq!(holder(&locations), Some(told), "{found:?}");
        }
        // A symbolic link in place of the file must not be followed.
        let elsewhere = dir.path().join("elsewhere");
        fs::write(&elsewhere, "as it was").expect("written");
        fs::remove_file(locations.holder()).expect("removed");
        std::os::unix::fs::symlink(&elsewhere, locations.holder()).expect("linked");
        drop(held);
        drop(take(&locations, "enable hello").expect("free"));
        assert_eq!(fs::read_to_string(&elsewhere).expect("there"), "as it was");
        assert_eq!(
            holder(&locations),
            None,
            "our process exists, but does not hold the lock"
        );
    }

    #[test]
    fn checking_the_lock_never_blocks_it() {
        let (_dir, locations) = place();
        drop(take(&locations, "enable hello").expect("free"));
        let folder = locations.switch_lock();
        fs::create_dir_all(folder.parent().expect("a folder")).expect("made");
        fs::write(locations.switch_lock(), "").expect("written");
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !ended.load(Ordering::SeqCst) {
                        let _ = holder(&locations);
                        let _ = no_foreign_switch(&locations, "enable web", Duration::ZERO);
                    }
                });
            }
            let ours = || {
                for _ in 0..200 {
                    drop(take(&locations, "enable hello")?);
                    // NixOS's newer switch program takes its lock in the same way.
                    let file = File::open(locations.switch_lock())?;
                    let theirs = Flock::lock(file, FlockArg::LockExclusiveNonblock);
                    drop(theirs.map_err(|(_, error)| error)?);
                }
                anyhow::Ok(())
            };
            let done = ours();
            ended.store(true, Ordering::SeqCst);
            done.expect("no other process takes the locks");
        });
    }

    #[test]
    fn lock_list_of_kernel_is_parsed() {
        let list = "\
            1: POSIX  ADVISORY  WRITE 11 00:1b:77 0 EOF\n\
            2: FLOCK  ADVISORY  WRITE 12 fe:00:77 0 EOF\n\
            3: FLOCK  ADVISORY  WRITE 13 00:1b:777 0 EOF\n\
            4: FLOCK  ADVISORY  WRITE 14 00:1b:78 0 EOF\n\
            4: -> FLOCK  ADVISORY  WRITE 15 00:1b:77 0 EOF\n\
            5: FLOCK  ADVISORY  READ  16 00:1b:77 0 EOF\n";
        let process = |wanted: &str| process_in(list, |file| file == wanted);
        assert_eq!(process("00:1b:77"), Some(16));
        assert_eq!(process("fe:00:77"), Some(12));
        assert_eq!(process("fe:00:78"), None);
    }
}
