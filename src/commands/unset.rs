//! `unset`: removes overrides of options.

use anyhow::Result;

use super::change;
use crate::attributes::parse;
use crate::options::ChangeOptions;
use crate::overrides::Edit;
use crate::plan::Action;
use crate::session::Session;

pub fn run(session: &Session, options: &[String], change_options: ChangeOptions) -> Result<()> {
    let paths = options.iter().map(|option| parse(option));
    let paths = paths.collect::<Result<Vec<_>, _>>()?;
    change(
        session,
        Action::Override(Edit::Unset { paths }),
        change_options,
    )
}
