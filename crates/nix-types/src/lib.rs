//! Plain data of libnix: its events, its errors, and the paths that a build needs.
//!
//! Both programs use these types, but only one program may link libnix. So the types are in a
//! separate crate, which links no native library. `nix-ffi` creates the values.

mod error;
mod event;
mod missing;

pub use error::{NixError, Position, Trace};
pub use event::{Activity, Event, ExpectedKind, Progress, evaluated_file};
pub use missing::Missing;
