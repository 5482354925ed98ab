//! The note about a host whose modules come from the NixOS module of nixos-runtime-modules.

use crate::evaluation::Evaluated;
use crate::session::NixSession;

/// The note, which lists the benefits of importing our own module.
const NOTE: &str = "the host imports the NixOS module of nixos-runtime-modules. If it imported nixosModules.default of \
runtime-module instead, changes would start from the exact source of the running system, `list` would need no \
evaluation, and modules could be restored at boot (docs/modules.md)";

/// Adds the note if the evaluated host uses the NixOS module of nixos-runtime-modules.
pub fn note(session: &NixSession, evaluated: &Evaluated) {
    if evaluated.foreign_modules {
        session.reporter.note(NOTE);
    }
}
