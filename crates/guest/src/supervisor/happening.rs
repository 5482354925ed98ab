//! The events to which a supervisor reacts.

use std::os::unix::net::UnixStream;

use crate::protocol::Request;

/// Something that happened to the guest.
pub(super) enum Happening {
    /// Output of the console.
    Console(Vec<u8>),
    /// A connection with its request.
    Connected(UnixStream, Request),
    /// The connection of the owner ended.
    OwnerLeft,
    /// A child process ended.
    ChildEnded,
    /// A signal asks the supervisor to end.
    Signalled,
    SshAnswered,
}
