//! Finds the guest that a command names.

use anyhow::Result;

use crate::error::GuestError;
use crate::name::GuestName;
use crate::runtime_folder::RuntimeFolder;
use crate::session::Session;

/// Returns the name and the folder of a running guest.
pub(super) fn running(session: &Session, name: &str) -> Result<(GuestName, RuntimeFolder)> {
    let name = GuestName::new(name)?;
    let folder = session.guests.guest(&name);
    match folder.is_running() {
        true => Ok((name, folder)),
        false => Err(GuestError::NotRunning {
            name: name.to_string(),
        }
        .into()),
    }
}
