//! Opens a store: selects the store of this machine, tests the connection to its daemon, and explains
//! why a store cannot be opened.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::Store;
use super::settings::{libnix_version, set};
use crate::error::{LibnixError, Message as _, one_line};

/// The delay before the second attempt to open a store. In this time, another command can finish
/// creating the store's database.
const NEW_STORE: Duration = Duration::from_millis(100);

/// Default socket of the Nix daemon.
const DAEMON_SOCKET: &str = "/nix/var/nix/daemon-socket/socket";

/// The hint if a store does not answer.
const RUNNING: &str = "check that the Nix daemon is running (systemctl status nix-daemon), or use another store with --store";

/// Opens the store `url`, or the default store of this machine.
pub(super) fn open_store(url: Option<&str>) -> Result<Store> {
    let setting = nix_ffi::get_setting("store")?.unwrap_or_else(|| "auto".into());
    let url = match url {
        Some(url) => Some(url),
        // As root, Nix would open the store without the daemon. But the daemon knows the builders
        // and limits of the machine.
        None if setting == "auto" && UnixStream::connect(DAEMON_SOCKET).is_ok() => Some("daemon"),
        None => None,
    };
    if !is_remote(url.unwrap_or(&setting)) {
        // The default hook is the `nix` command, which this program never runs. A daemon has its
        // own hook and must not receive ours.
        set("build-hook", "")?;
    }
    // libnix connects only at the first request, so an error would look like a failed evaluation.
    // Test the connection here.
    if let Some(socket) = url.and_then(socket) {
        UnixStream::connect(socket)
            .map_err(|error| refused_store(url, &format!("cannot connect to {socket}: {error}")))?;
    }
    // The processes of one command open the store one after the other. But if two commands create
    // the database of a new store at the same time, one of them fails, so try twice.
    let again = |_| {
        std::thread::sleep(NEW_STORE);
        Store::open(url)
    };
    Store::open(url)
        .or_else(again)
        .map_err(|error| refused_store(url, &error.to_string()))
}

/// Returns the path of the daemon's socket in a `unix://` URL.
fn socket(url: &str) -> Option<&str> {
    let path = url.strip_prefix("unix://")?.split('?').next()?;
    Some(path).filter(|path| !path.is_empty())
}

fn is_remote(url: &str) -> bool {
    url == "daemon" || url.starts_with("unix://") || url.starts_with("ssh")
}

/// Returns the hint if this machine's daemon does not answer.
pub fn daemon_hint() -> &'static str {
    match Path::new("/nix/store").exists() {
        true => RUNNING,
        false => {
            "this machine has no Nix (there is no /nix/store): install Nix, or use another store with --store"
        }
    }
}

fn refused_store(url: Option<&str>, why: &str) -> anyhow::Error {
    let why = console::strip_ansi_codes(why);
    let why = one_line(&why);
    let why = why.trim_start_matches("error: ");
    let hint = if why.contains("store schema is version") {
        format!(
            "use the daemon of the newer Nix that made this store, or build runtime-module with its libnix (this libnix is {})",
            libnix_version()
        )
    } else if why.contains("No space left") || why.contains("disk is full") {
        "free some space and try again; nothing was changed".into()
    } else if why.contains("Read-only file system") {
        "make the store's database writable, or start the daemon; also check the disk for errors"
            .into()
    } else if url.is_none_or(|url| url == "daemon") {
        daemon_hint().into()
    } else {
        RUNNING.into()
    };
    LibnixError::StoreNotOpened {
        store: url.unwrap_or("of this machine").into(),
        reason: why.into(),
    }
    .hint(hint)
    .into()
}
