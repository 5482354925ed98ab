//! The note about a host whose modules come from the NixOS module of nixos-runtime-modules.

use crate::evaluation::Evaluated;
use crate::session::Session;

/// What importing our own module adds.
const NOTE: &str = "the modules are those of nixos-runtime-modules' own NixOS module, which is used as it is. With this \
project's nixosModules.default in its place, a change starts from the exact source of the running system, `list` needs no \
evaluation, and modules can be restored after a boot (docs/modules.md)";

/// Adds the note to an evaluation that used that module.
pub fn note(session: &Session, evaluated: &Evaluated) {
    if evaluated.foreign_modules {
        session.reporter.note(NOTE);
    }
}
