//! The command lines of internal roles. They are read without clap.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::confinement::{ChildRole, READ_ONLY};

/// The name of the role that prepares a child process.
pub const CHILD: &str = "__child";

/// The name of the role that supervises a guest.
pub const SUPERVISE: &str = "__supervise";

/// The role of this process.
#[derive(Clone, Debug)]
pub enum Role {
    Child(ChildRole),
    /// Supervises the guest of this folder.
    Supervisor(PathBuf),
}

/// Reads the command line of a role. Returns `None` for a command of the user.
pub fn read(arguments: &[OsString]) -> Option<Role> {
    let (name, rest) = arguments.split_first()?;
    if name == SUPERVISE {
        let [folder] = rest else { return None };
        return Some(Role::Supervisor(folder.into()));
    }
    if name != CHILD {
        return None;
    }
    let (parent, mut rest) = rest.split_first()?;
    let mut read_only = None;
    if let [option, folder, after @ ..] = rest
        && option == READ_ONLY
    {
        read_only = Some(PathBuf::from(folder));
        rest = after;
    }
    let [separator, program, arguments @ ..] = rest else {
        return None;
    };
    (separator == "--").then_some(())?;
    Some(Role::Child(ChildRole {
        parent: parent.to_str()?.parse().ok()?,
        read_only,
        program: program.clone(),
        arguments: arguments.to_vec(),
    }))
}
