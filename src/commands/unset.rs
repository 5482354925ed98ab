//! `unset`: removes overrides of options.

use anyhow::Result;

use super::change;
use crate::attributes::parse;
use crate::options::ChangeOptions;
use crate::overrides::{Edit, check_path};
use crate::plan::Action;
use crate::session::Session;

pub fn run(session: &Session, options: &[String], change_options: ChangeOptions) -> Result<()> {
    let mut paths = Vec::new();
    for option in options {
        let path = parse(option)?;
        check_path(&path)?;
        paths.push(path);
    }
    change(
        session,
        Action::Override(Edit::Unset { paths }),
        change_options,
    )
}
