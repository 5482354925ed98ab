//! Plain data of libnix: its events, its errors, and what a build would take.
//!
//! Both programs read these types, but only one of them may link libnix. So they have a crate of their own, which links
//! nothing; `nix-ffi` fills them in.

mod error;
mod event;
mod missing;

pub use error::{NixError, Position, Trace};
pub use event::{Activity, Event, ExpectedKind, Progress, evaluated_file};
pub use missing::Missing;
