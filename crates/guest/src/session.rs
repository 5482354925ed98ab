//! The data that every command needs.

use std::path::PathBuf;

use anyhow::Result;

use crate::command::Environment;
use crate::runtime_folder::GuestsFolder;
use crate::tools::SearchPath;

/// The data that every command needs.
#[derive(Debug)]
pub struct Session {
    pub guests: GuestsFolder,
    pub search_path: SearchPath,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    /// Whether to print results as JSON.
    pub json: bool,
}

impl Session {
    pub fn begin(environment: &Environment, json: bool) -> Result<Self> {
        let chosen = environment.folder.as_deref();
        Ok(Self {
            guests: GuestsFolder::choose(chosen, environment.runtime_dir.as_deref())?,
            runtime_dir: environment.runtime_dir.clone(),
            search_path: SearchPath::new(environment.path.as_deref()),
            json,
        })
    }
}
