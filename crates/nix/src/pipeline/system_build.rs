//! The inputs of all stages.

use crate::host::Situation;
use crate::libnix::Libnix;
use crate::plan::Plan;
use crate::session::NixSession;

/// The inputs for making a system.
pub(super) struct SystemBuild<'a> {
    pub(super) session: &'a NixSession,
    pub(super) libnix: Libnix,
    pub(super) situation: &'a Situation,
    pub(super) plan: &'a Plan,
}
