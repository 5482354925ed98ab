//! `reset`: returns to the system without runtime modules.

use anyhow::Result;

use super::change;
use crate::options::ChangeOptions;
use crate::plan::Action;
use crate::session::Session;

pub fn run(session: &Session, options: ChangeOptions) -> Result<()> {
    change(session, Action::Reset, options)
}
