//! `apply`: activates the requested modules again, from the same source.

use anyhow::Result;

use super::change;
use crate::options::ChangeOptions;
use crate::plan::Action;
use crate::session::Session;

pub fn run(session: &Session, options: ChangeOptions) -> Result<()> {
    change(session, Action::Apply, options)
}
