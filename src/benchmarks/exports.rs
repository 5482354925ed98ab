//! Result files: whether they can be written is known before the first run, and they are replaced as a whole.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::samples::{KIND, Outcome, SCHEMA};
use super::{csv, svg, table};
use crate::error::{Failed, Failure};

/// Which files were asked for.
#[derive(Clone, Debug, Default)]
pub struct Exports {
    /// The whole result.
    pub json: Option<PathBuf>,
    /// The table.
    pub markdown: Option<PathBuf>,
    /// A line for each sample.
    pub csv: Option<PathBuf>,
    /// The plot.
    pub svg: Option<PathBuf>,
}

impl Exports {
    /// An error unless each of them can be written. Nothing is written yet, and what is there stays.
    pub fn check(&self) -> Result<()> {
        let all = [&self.json, &self.markdown, &self.csv, &self.svg];
        for path in all.into_iter().flatten() {
            new_file(path).map_err(|error| unwritable(path, &error))?;
            if path.is_dir() {
                return Err(Failure::Usage
                    .error(format!("write {}: it is a folder", path.display()))
                    .hint("nothing was measured; name a file")
                    .into());
            }
        }
        Ok(())
    }

    /// Writes them.
    pub fn write(&self, outcome: &Outcome) -> Result<()> {
        if let Some(path) = &self.json {
            let text = serde_json::to_string_pretty(outcome).context("write JSON")?;
            replace(path, &(text + "\n"))?;
        }
        if let Some(path) = &self.markdown {
            replace(path, &table::markdown(outcome))?;
        }
        if let Some(path) = &self.csv {
            replace(path, &csv::csv(outcome)?)?;
        }
        if let Some(path) = &self.svg {
            replace(path, &svg::draw(outcome)?)?;
        }
        Ok(())
    }
}

/// A temporary file beside the one that it will be.
fn new_file(path: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    tempfile::Builder::new()
        .prefix(".bench-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder.unwrap_or(Path::new(".")))
}

fn replace(path: &Path, text: &str) -> Result<()> {
    let what = || format!("write {}", path.display());
    let mut file = new_file(path).with_context(what)?;
    file.write_all(text.as_bytes()).with_context(what)?;
    file.persist(path).with_context(what)?;
    Ok(())
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failed {
    Failure::Usage
        // The error itself names the temporary file, which nobody asked for.
        .error(format!("write {}: {}", path.display(), error.kind()))
        .hint("nothing was measured; name a file in a folder that is there and yours")
}

/// Reads a result file.
pub fn read(path: &Path) -> Result<Outcome> {
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::Usage
            .error(format!("read {}: {error}", path.display()))
            .hint("result files are made with --export-json")
    })?;
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| no_result(path, &error.to_string()))?;
    if value["kind"] != KIND {
        return Err(no_result(path, &format!("its kind is not {KIND}")).into());
    }
    if value["schema"] != SCHEMA {
        return Err(Failure::Usage
            .error(format!(
                "read {}: it has schema {}, and this program knows schema {SCHEMA}",
                path.display(),
                value["schema"]
            ))
            .hint("measure again with one program, or read it with the one that wrote it")
            .into());
    }
    serde_json::from_value(value).map_err(|error| no_result(path, &error.to_string()).into())
}

fn no_result(path: &Path, why: &str) -> Failed {
    Failure::Usage
        .error(format!(
            "read {}: it is no result of a benchmark: {why}",
            path.display()
        ))
        .hint("result files are made with --export-json")
}
