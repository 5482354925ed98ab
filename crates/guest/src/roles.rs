//! The command lines of internal roles. They are read without clap.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::confinement::{ChildRole, Namespace, READ_ONLY, USER_NAMESPACE};

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
    let mut namespace = Namespace::Same;
    match rest {
        [option, folder, after @ ..] if option == READ_ONLY => {
            namespace = Namespace::ReadOnly(folder.into());
            rest = after;
        }
        [option, after @ ..] if option == USER_NAMESPACE => {
            namespace = Namespace::User;
            rest = after;
        }
        _ => {}
    }
    let [separator, program, arguments @ ..] = rest else {
        return None;
    };
    (separator == "--").then_some(())?;
    Some(Role::Child(ChildRole {
        parent: parent.to_str()?.parse().ok()?,
        namespace,
        program: program.clone(),
        arguments: arguments.to_vec(),
    }))
}
