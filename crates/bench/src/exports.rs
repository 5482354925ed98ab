//! Reads and writes result files. Before the first run, the program checks that it can write them.
//! It replaces each file as a whole.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use runtime_module_core::command::Exports;

use super::samples::{BenchResult, KIND, SCHEMA};
use super::{csv, svg, table};
use runtime_module_core::error::{Failed, Failure};

/// Fails unless each file can be written. Existing files stay unchanged, and no new file remains.
pub fn check(exports: &Exports) -> Result<()> {
    let all = [&exports.json, &exports.markdown, &exports.csv, &exports.svg];
    for path in all.into_iter().flatten() {
        new_file(path).map_err(|error| unwritable(path, &error))?;
        if path.is_dir() {
            return Err(Failure::Usage
                .error(format!(
                    "cannot write {}: the path is a directory",
                    path.display()
                ))
                .hint("name a file; nothing was measured")
                .into());
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

fn unwritable(path: &Path, error: &std::io::Error) -> Failed {
    Failure::Usage
        // The full error would name the temporary file, which the user does not know.
        .error(format!("cannot write {}: {}", path.display(), error.kind()))
        .hint("name a file in an existing directory that you can write to; nothing was measured")
}

/// Reads a result file and checks its kind and schema.
pub fn read(path: &Path) -> Result<BenchResult> {
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::Usage
            .error(format!("cannot read {}: {error}", path.display()))
            .hint("make a result file with `runtime-module bench eval --export-json FILE`")
    })?;
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| no_result(path, &error.to_string()))?;
    if value["kind"] != KIND {
        return Err(no_result(path, &format!("the field `kind` is not {KIND}")).into());
    }
    if value["schema"] != SCHEMA {
        return Err(Failure::Usage
            .error(format!(
                "cannot read {}: the file has schema {}, but this version reads schema {SCHEMA}",
                path.display(),
                value["schema"]
            ))
            .hint(
                "measure again with this version, or read the file with the version that wrote it",
            )
            .into());
    }
    serde_json::from_value(value).map_err(|error| no_result(path, &error.to_string()).into())
}

fn no_result(path: &Path, why: &str) -> Failed {
    Failure::Usage
        .error(format!(
            "cannot read {}: the file is not a benchmark result: {why}",
            path.display()
        ))
        .hint("make a result file with `runtime-module bench eval --export-json FILE`")
}
