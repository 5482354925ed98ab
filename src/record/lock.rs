//! The lock of whoever changes the state. It names its holder, and ends with the process.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _};
use std::os::unix::fs::OpenOptionsExt as _;

use anyhow::{Context as _, Result};
use unix::fcntl::{Flock, FlockArg};

use super::disk::{make_folder, no_right};
use crate::error::Failure;
use crate::fault::{self, Point};
use crate::locations::Locations;

/// The lock, held until dropped.
pub struct Held {
    _file: Flock<File>,
}

/// Takes the lock for `purpose` or says who has it.
pub fn hold(locations: &Locations, purpose: &str) -> Result<Held> {
    make_folder(&locations.run())?;
    let path = locations.lock();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .custom_flags(unix::libc::O_NOFOLLOW)
        .open(&path)
        .map_err(|error| no_right(error, &format!("open the lock {}", path.display())))?;
    let mut file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(file) => file,
        Err((_, unix::errno::Errno::EWOULDBLOCK)) => {
            let holder = holder(locations).unwrap_or_else(|| "another run".into());
            return Err(Failure::Refused
                .error(format!("another transaction is under way: {holder}"))
                .hint("wait for it to end, then try again")
                .into());
        }
        Err((_, error)) => {
            return Err(error).with_context(|| format!("lock {}", path.display()));
        }
    };
    let mut name_us = || -> std::io::Result<()> {
        file.set_len(0)?;
        file.rewind()?;
        let name = format!("{purpose} (process {})\n", std::process::id());
        fault::write(Point::WriteLock, &mut file, name.as_bytes())
    };
    name_us().with_context(|| format!("write our name into the lock {}", path.display()))?;
    Ok(Held { _file: file })
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
        let held = hold(&locations, "enable hello").expect("free");
        let Err(error) = hold(&locations, "disable hello") else {
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
        hold(&locations, "disable hello").expect("free again");
    }
}
