//! `disable`: turns modules off.

use anyhow::Result;

use super::change;
use crate::options::ChangeOptions;
use crate::plan::Action;
use crate::session::Session;

pub fn run(session: &Session, names: Vec<String>, options: ChangeOptions) -> Result<()> {
    change(session, Action::Disable(names), options)
}
