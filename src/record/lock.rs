//! The lock of whoever changes the state, which ends with the process, and the words of its holder beside it.
//!
//! A lock can be taken through any descriptor, so the file is root's alone: nobody else can keep changes from being made.
//! Who only wants to know whether it is held takes none, not even for a moment: that would be in the way of who wants it.

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

use super::disk::{absent, make_folder, no_right};
use crate::error::{Failed, Failure};
use crate::fault::{self, Point};
use crate::locations::Locations;

/// The lock, held until dropped.
pub struct Held {
    _file: Flock<File>,
}

/// How often a lock that somebody holds is tried again.
const AGAIN: Duration = Duration::from_millis(50);

/// Takes the lock for `purpose`, within `wait`, or says who has it.
pub fn hold(locations: &Locations, purpose: &str, wait: Duration) -> Result<Held> {
    make_folder(&locations.run())?;
    let path = locations.lock();
    let mut file = open(&path)
        .map_err(|error| no_right(error, &format!("open the lock {}", path.display())))?;
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
                return Err(error).with_context(|| format!("lock {}", path.display()));
            }
        }
    };
    // Best effort: on a disk that is full the lock is held all the same, and the kernel knows by whom.
    let _ = name_us(locations, purpose);
    Ok(Held { _file: file })
}

/// Opens it. An earlier release had it readable by all.
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

/// Writes down who holds the lock, where everyone may read it. What the last one wrote goes first: it must never stand there
/// while another has the lock.
fn name_us(locations: &Locations, purpose: &str) -> io::Result<()> {
    let path = locations.holder();
    absent(&path)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .custom_flags(unix::libc::O_NOFOLLOW)
        .open(&path)?;
    // Not left to the umask: root's may be anything.
    file.set_permissions(Permissions::from_mode(0o644))?;
    let name = format!("{purpose} {}\n", numbered(std::process::id()));
    fault::write(Point::WriteLock, &mut file, name.as_bytes())
}

/// A process, as messages name it.
fn numbered(process: u32) -> String {
    format!("(process {process})")
}

/// Refuses where somebody has it, before anything is written for nothing.
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
    Failure::Refused
        .error(format!("another transaction is under way: {holder}"))
        .hint("wait for it to end, then try again; --wait 60s does")
}

/// Who holds the lock, in its own words; none where nobody does.
pub fn holder(locations: &Locations) -> Option<String> {
    let words = fs::read_to_string(locations.holder()).unwrap_or_default();
    // The kernel's list takes milliseconds, and is not asked after whom the last one's words name once that has ended.
    if named(&words).is_some_and(has_ended) {
        return None;
    }
    let process = process_locking(&locations.lock())?;
    Some(match named(&words) {
        Some(named) if named == process => words.trim().to_string(),
        // It could not write down what it does, or has not yet.
        _ => format!("another run {}", numbered(process)),
    })
}

/// The process that words name which were written to their end.
pub fn named(words: &str) -> Option<u32> {
    let (_, number) = words.strip_suffix(")\n")?.rsplit_once("(process ")?;
    number.parse().ok()
}

/// Whether there is no such process any more. One that we may not see is there.
fn has_ended(process: u32) -> bool {
    i32::try_from(process)
        .is_ok_and(|process| kill(Pid::from_raw(process), None) == Err(Errno::ESRCH))
}

/// Waits until nobody holds the lock of NixOS's own switch program, within `wait`; an error says who does.
///
/// Newer programs refuse while it is held, older ones wait without a word.
pub fn no_foreign_switch(locations: &Locations, purpose: &str, wait: Duration) -> Result<()> {
    let path = locations.switch_lock();
    let begun = Instant::now();
    while let Some(process) = process_locking(&path) {
        if begun.elapsed() >= wait {
            let name = fs::read_to_string(format!("/proc/{process}/comm"));
            let name = name.unwrap_or_else(|_| "a process".into());
            return Err(Failure::Refused
                .error(format!(
                    "{purpose}: another switch is under way: {} {} holds {}",
                    name.trim(),
                    numbered(process),
                    path.display()
                ))
                .hint("it may be a nixos-rebuild: wait for it to end, then try again; --wait 60s does")
                .into());
        }
        std::thread::sleep(AGAIN);
    }
    Ok(())
}

/// Whether a process that lives, and is of another group than `group`, holds the lock of NixOS's own switch program.
pub fn switches_elsewhere(locations: &Locations, group: Pid) -> bool {
    let holder = process_locking(&locations.switch_lock());
    let holder = holder.and_then(|process| i32::try_from(process).ok());
    // What has ended has left its lock to somebody: nobody knows to whom.
    holder.is_some_and(|process| {
        getpgid(Some(Pid::from_raw(process))).is_ok_and(|found| found != group)
    })
}

/// The process that holds a lock on a file, as the kernel tells; none where there is no such file.
fn process_locking(path: &Path) -> Option<u32> {
    let found = fs::metadata(path).ok()?;
    let (device, node) = (found.dev(), found.ino());
    let exact = format!("{:02x}:{:02x}:{node}", major(device), minor(device));
    // There a file's device is not that of its file system, which is what the kernel lists.
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

/// How often a list is read that is told in parts: a lock that moves up in it meanwhile is left out, once, and hardly ever so
/// often in a row.
const READS: u32 = 8;

/// The kernel's list of locks, and whether it was told in one part: a page at a time is (Linux, `fs/seq_file.c`).
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

/// The process of the first lock in the kernel's list that is of this kind, is held and not waited for (`->`), and is on such
/// a file.
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

    fn take(locations: &Locations, purpose: &str) -> Result<Held> {
        hold(locations, purpose, Duration::ZERO)
    }

    #[test]
    fn the_second_one_is_told_who_holds_it() {
        let (_dir, locations) = place();
        let held = take(&locations, "enable hello").expect("free");
        let Err(error) = hold(&locations, "disable hello", Duration::from_millis(60)) else {
            panic!("it was held");
        };
        assert_eq!(
            format!("{error:#}"),
            format!(
                "another transaction is under way: enable hello (process {})",
                std::process::id()
            )
        );
        drop(held);
        hold(&locations, "disable hello", Duration::from_millis(60)).expect("free again");
    }

    #[test]
    fn nobody_else_can_open_it_and_everybody_can_read_who_holds_it() {
        let (_dir, locations) = place();
        let mode = |path: &Path| fs::metadata(path).expect("a file").mode() & 0o777;
        for _ in 0..2 {
            let _held = take(&locations, "enable hello").expect("free");
            assert_eq!(mode(&locations.lock()), 0o600);
            assert_eq!(mode(&locations.holder()), 0o644);
            // As an earlier release has left it.
            let open = Permissions::from_mode(0o644);
            fs::set_permissions(locations.lock(), open).expect("its owner may");
        }
    }

    #[test]
    fn who_holds_it_is_known_without_a_word() {
        let (dir, locations) = place();
        assert_eq!(holder(&locations), None);
        let held = take(&locations, "enable hello").expect("free");
        let own = std::process::id();
        let words = format!("enable hello (process {own})\n");
        assert_eq!(holder(&locations).as_deref(), Some(words.trim()));
        // Empty, cut short, of somebody else.
        for found in ["", &words[..words.len() - 3], "enable web (process 1)\n"] {
            fs::write(locations.holder(), found).expect("written");
            let told = format!("another run (process {own})");
            assert_eq!(holder(&locations), Some(told), "{found:?}");
        }
        // A link that somebody has laid is not followed.
        let elsewhere = dir.path().join("elsewhere");
        fs::write(&elsewhere, "as it was").expect("written");
        fs::remove_file(locations.holder()).expect("removed");
        std::os::unix::fs::symlink(&elsewhere, locations.holder()).expect("linked");
        drop(held);
        drop(take(&locations, "enable hello").expect("free"));
        assert_eq!(fs::read_to_string(&elsewhere).expect("there"), "as it was");
        assert_eq!(holder(&locations), None, "we live, and do not hold it");
    }

    #[test]
    fn to_ask_is_in_nobodys_way() {
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
                    // As NixOS's newer switch program does.
                    let file = File::open(locations.switch_lock())?;
                    let theirs = Flock::lock(file, FlockArg::LockExclusiveNonblock);
                    drop(theirs.map_err(|(_, error)| error)?);
                }
                anyhow::Ok(())
            };
            let done = ours();
            ended.store(true, Ordering::SeqCst);
            done.expect("nobody else wants it");
        });
    }

    #[test]
    fn the_kernels_list_says_who_holds_what() {
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
