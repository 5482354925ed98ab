//! `reset`: returns to the system without runtime modules.

use anyhow::Result;

use super::change;
use crate::options::ChangeOptions;
use crate::plan::Action;
use crate::session::Session;

/// With `all`, also removes option overrides.
pub fn run(session: &Session, all: bool, options: ChangeOptions) -> Result<()> {
    let action = match all {
        true => Action::ResetAll,
        false => Action::Reset,
    };
    change(session, action, options)
}
