//! The note about a host whose modules come from the NixOS module of nixos-runtime-modules.

use crate::evaluation::Evaluated;
use crate::session::NixSession;

/// The note, which lists the benefits of importing our own module.
const NOTE: &str = "the host imports the NixOS module of nixos-runtime-modules instead of this project's \
nixosModules.default. With the latter, a change starts from the exact source of the running system, `list` needs no \
evaluation, and modules can be restored after a boot (docs/modules.md)";

/// Adds the note if the evaluated host uses the NixOS module of nixos-runtime-modules.
pub fn note(session: &NixSession, evaluated: &Evaluated) {
    if evaluated.foreign_modules {
        session.reporter.note(NOTE);
    }
}
