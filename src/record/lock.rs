//! The lock of whoever changes the state. It names its holder, and ends with the process.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use unix::fcntl::{Flock, FlockArg};

use super::disk::{make_folder, no_right};
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
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .custom_flags(unix::libc::O_NOFOLLOW)
        .open(&path)
        .map_err(|error| no_right(error, &format!("open the lock {}", path.display())))?;
    let begun = Instant::now();
    let mut file = loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => break file,
            Err((back, unix::errno::Errno::EWOULDBLOCK)) if begun.elapsed() < wait => {
                file = back;
                std::thread::sleep(AGAIN);
            }
            Err((_, unix::errno::Errno::EWOULDBLOCK)) => return Err(held(locations).into()),
            Err((_, error)) => {
                return Err(error).with_context(|| format!("lock {}", path.display()));
            }
        }
    };
    let mut name_us = || -> std::io::Result<()> {
        file.set_len(0)?;
        file.rewind()?;
        let name = format!("{purpose} (process {})\n", std::process::id());
        fault::write(Point::WriteLock, &mut file, name.as_bytes())
    };
    name_us().map_err(|error| {
        no_right(
            error,
            &format!("write our name into the lock {}", path.display()),
        )
    })?;
    Ok(Held { _file: file })
}

/// Refuses where somebody has it, before anything is written for nothing.
pub fn not_held(locations: &Locations) -> Result<(), Failed> {
    match holder(locations) {
        Some(_) => Err(held(locations)),
        None => Ok(()),
    }
}

fn held(locations: &Locations) -> Failed {
    let holder = holder(locations).unwrap_or_else(|| "another run".into());
    Failure::Refused
        .error(format!("another transaction is under way: {holder}"))
        .hint("wait for it to end, then try again; --wait 60s does")
}

/// Waits until nobody holds the lock of NixOS's own switch program, within `wait`; an error says who does.
///
/// Newer programs refuse while it is held, older ones wait without a word.
pub fn no_foreign_switch(locations: &Locations, purpose: &str, wait: Duration) -> Result<()> {
    let path = locations.switch_lock();
    let begun = Instant::now();
    loop {
        let Ok(file) = File::open(&path) else {
            // There was no switch yet since the machine has started.
            return Ok(());
        };
        let node = file.metadata().map(|found| found.ino()).unwrap_or(0);
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Err((_, unix::errno::Errno::EWOULDBLOCK)) if begun.elapsed() < wait => {
                std::thread::sleep(AGAIN);
            }
            Err((_, unix::errno::Errno::EWOULDBLOCK)) => {
                let holder = process_holding(node).unwrap_or_else(|| "a process".into());
                return Err(Failure::Refused
                    .error(format!(
                        "{purpose}: another switch is under way: {holder} holds {}",
                        path.display()
                    ))
                    .hint("it may be a nixos-rebuild: wait for it to end, then try again; --wait 60s does")
                    .into());
            }
            _ => return Ok(()),
        }
    }
}

/// The process that holds a lock on the file of this node, as the kernel tells.
fn process_holding(node: u64) -> Option<String> {
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let line = locks.lines().find(|line| {
        let file = line.split_whitespace().nth(5);
        file.is_some_and(|file| file.ends_with(&format!(":{node}")))
    })?;
    let process = line.split_whitespace().nth(4)?;
    let name = std::fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    Some(format!("{} (process {process})", name.trim()))
}

/// Who holds the lock, in its own words; none where nobody does.
pub fn holder(locations: &Locations) -> Option<String> {
    let mut file = File::open(locations.lock()).ok()?;
    let mut name = String::new();
    file.read_to_string(&mut name).ok()?;
    // Taken shared for a moment: that fails while somebody has it.
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Err((_, unix::errno::Errno::EWOULDBLOCK)) => {
            Some(name.trim().to_string()).filter(|name| !name.is_empty())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_is_told_who_holds_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let locations = Locations::new(dir.path(), dir.path().join("cache"));
        let held = hold(&locations, "enable hello", Duration::ZERO).expect("free");
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
}
