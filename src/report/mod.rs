//! What a change tells its user: the result, its duration, and notes about the source.

mod change;
mod ended;
mod foreign_module;
mod overridden;
mod pin;
mod relocked;
mod stronger;
mod times;

pub use change::ChangeReport;
pub use ended::EndReport;
pub use foreign_module::note as note_foreign_module;
pub use overridden::Overridden;
pub use pin::{announce as announce_pin, announce_base, at, gone};
pub use relocked::note as note_relocked;
pub use stronger::note as note_stronger_definitions;
