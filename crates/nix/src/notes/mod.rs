//! Notes to the user about a change: its source, its module system and its overrides.

mod foreign_module;
mod pin;
mod relocked;
mod stronger;

pub use foreign_module::note as note_foreign_module;
pub use pin::{announce as announce_pin, announce_base, gone};
pub use relocked::note as note_relocked;
pub use stronger::note as note_stronger_definitions;
