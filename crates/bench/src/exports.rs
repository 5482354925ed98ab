//! Reads and writes result files. Before the first run, the program checks that it can write them.
//! It replaces each file as a whole.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use runtime_module_core::command::Exports;

use super::error::BenchError;
use super::samples::{BenchResult, KIND, SCHEMA};
use super::{csv, svg, table};

/// Fails unless each file can be written. Existing files stay unchanged, and no new file remains.
pub fn check(exports: &Exports) -> Result<()> {
    let all = [&exports.json, &exports.markdown, &exports.csv, &exports.svg];
    for path in all.into_iter().flatten() {
        new_file(path).map_err(|error| BenchError::Unwritable {
            path: path.display().to_string(),
            // The full error would name the temporary file, which the user does not know.
            reason: error.kind().to_string(),
        })?;
        if path.is_dir() {
            let path = path.display().to_string();
            return Err(BenchError::ExportIsFolder { path }.into());
        }
    }
    Ok(())
}

pub fn write(exports: &Exports, outcome: &BenchResult) -> Result<()> {
    if let Some(path) = &exports.json {
        let text = serde_json::to_string_pretty(outcome).context("cannot write JSON")?;
        replace(path, &(text + "\n"))?;
    }
    if let Some(path) = &exports.markdown {
        replace(path, &table::markdown(outcome))?;
    }
    if let Some(path) = &exports.csv {
        replace(path, &csv::csv(outcome)?)?;
    }
    if let Some(path) = &exports.svg {
        replace(path, &svg::draw(outcome)?)?;
    }
    Ok(())
}

/// Creates a temporary file in the directory of the result file.
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
    let what = || format!("cannot write {}", path.display());
    let mut file = new_file(path).with_context(what)?;
    file.write_all(text.as_bytes()).with_context(what)?;
    file.persist(path).with_context(what)?;
    Ok(())
}

/// Reads a result file and checks its kind and schema.
pub fn read(path: &Path) -> Result<BenchResult> {
    let shown = || path.display().to_string();
    let not_a_result = |reason: String| BenchError::NotAResult {
        path: shown(),
        reason,
    };
    let text = fs::read_to_string(path).map_err(|error| BenchError::Unreadable {
        path: shown(),
        reason: error.to_string(),
    })?;
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| not_a_result(error.to_string()))?;
    if value["kind"] != KIND {
        return Err(not_a_result(format!("the field `kind` is not {KIND}")).into());
    }
    if value["schema"] != SCHEMA {
        return Err(BenchError::OtherSchema {
            path: shown(),
            found: value["schema"].to_string(),
            schema: SCHEMA,
        }
        .into());
    }
    serde_json::from_value(value).map_err(|error| not_a_result(error.to_string()).into())
}
