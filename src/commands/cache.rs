//! `cache`: which results of evaluation are kept, how much they are, and none of them any longer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use super::Session;
use crate::cache::Results;
use crate::cli::CacheWhat;
use crate::error::{Failure, neutral};
use crate::progress::{bytes, duration};

/// A result that is kept (`docs/json.md`).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    key: String,
    host: String,
    modules: Vec<String>,
    made: u64,
    used: u64,
    milliseconds: f64,
    toplevel: Option<String>,
    rooted: bool,
    kept_bytes: u64,
}

/// Does what was asked for.
pub fn run(session: &Session, what: CacheWhat) -> Result<()> {
    let results = Results::open(&session.locations).map_err(|why| {
        Failure::Refused
            .error(format!("cache: {why}"))
            .hint("--cache names another folder")
    })?;
    session.reporter.finish();
    let text = match what {
        CacheWhat::List => list(&rows(&results), session.global.json),
        CacheWhat::Stats => stats(&results, &rows(&results), session.global.json),
        CacheWhat::Clear => {
            let count = results.clear()?;
            match session.global.json {
                true => document(&json!({ "schema": 1, "removed": count })),
                false => format!("{count} removed\n"),
            }
        }
    };
    super::say(text)
}

fn rows(results: &Results) -> Vec<Row> {
    let since = |time: SystemTime| {
        time.duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs())
    };
    let rows = results.entries().into_iter().map(|(used, entry)| {
        let kept = results.rooted(&entry.key);
        Row {
            host: entry.host,
            modules: entry.modules,
            made: entry.made,
            used: since(used),
            milliseconds: entry.milliseconds,
            toplevel: entry.evaluated.toplevel.map(|toplevel| toplevel.out),
            rooted: kept.is_some(),
            kept_bytes: kept.unwrap_or(0),
            key: entry.key,
        }
    });
    rows.collect()
}

fn document(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).map_or_else(|_| String::new(), |text| text + "\n")
}

fn list(rows: &[Row], as_json: bool) -> String {
    if as_json {
        return document(&json!({ "schema": 1, "results": rows }));
    }
    if rows.is_empty() {
        return "nothing is kept\n".into();
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    let line = |row: &Row| {
        let modules = if row.modules.is_empty() {
            "no module".into()
        } else {
            row.modules.join(", ")
        };
        let took = duration(Duration::from_secs_f64(row.milliseconds / 1e3));
        let age = duration(Duration::from_secs(now.saturating_sub(row.used)));
        let kept = match row.rooted {
            true => format!("built, keeps {}", bytes(row.kept_bytes)),
            false => "not built, or not kept".into(),
        };
        neutral(&format!(
            "{}: {modules}; took {took}; of use {age} ago; {kept}",
            row.host
        )) + "\n"
    };
    rows.iter().map(line).collect()
}

fn stats(results: &Results, rows: &[Row], as_json: bool) -> String {
    let rooted = rows.iter().filter(|row| row.rooted).count();
    let kept: u64 = rows.iter().map(|row| row.kept_bytes).sum();
    if as_json {
        return document(&json!({
            "schema": 1,
            "results": rows.len(),
            "bytes": results.size(),
            "rooted": rooted,
            "keptBytes": kept,
        }));
    }
    format!(
        "{} results, {}\n{rooted} of them built and kept in the store, {} beyond what the system has\n",
        rows.len(),
        bytes(results.size()),
        bytes(kept)
    )
}
