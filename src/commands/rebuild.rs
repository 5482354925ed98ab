//! `rebuild`: pins the newest source, and activates the requested modules on it.

use anyhow::Result;

use super::change;
use crate::options::ChangeOptions;
use crate::plan::Action;
use crate::session::Session;

pub fn run(session: &Session, options: ChangeOptions) -> Result<()> {
    change(session, Action::Rebuild, options)
}
