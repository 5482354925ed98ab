//! `cache`: lists, counts or removes cached evaluation results.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use runtime_module_core::choice::CacheAction;
use runtime_module_core::clock::{now, seconds};
use runtime_module_core::error::neutral;
use runtime_module_core::output::tell;
use runtime_module_core::progress::{bytes, duration};
use runtime_module_core::timings::time_of;
use runtime_module_nix::cache::Results;
use runtime_module_nix::error::CacheError;
use runtime_module_nix::session::NixSession;

/// A cached result (`docs/json.md`).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CachedRow {
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

/// Runs the requested action.
pub fn run(session: &NixSession, action: CacheAction) -> Result<()> {
    let results = Results::open(&session.locations);
    let results = results.map_err(|reason| CacheError::Unusable { reason })?;
    match action {
        CacheAction::List => {
            let rows = rows(&results);
            let document = json!({ "schema": 1, "results": rows });
            tell(session, &document, |_| list(&rows))
        }
        CacheAction::Stats => tell(session, &Stats::of(&results), Stats::human),
        CacheAction::Clear => {
            let count = results.clear()?;
            let document = json!({ "schema": 1, "removed": count });
            tell(session, &document, |_| format!("{count} removed\n"))
        }
    }
}

fn rows(results: &Results) -> Vec<CachedRow> {
    let rows = results.entries().into_iter().map(|(used, entry)| {
        let kept = results.rooted(&entry.key);
        CachedRow {
            host: entry.host,
            modules: entry.modules,
            made: entry.made,
            used: seconds(used),
            milliseconds: entry.milliseconds,
            toplevel: entry.evaluated.toplevel.map(|toplevel| toplevel.out),
            rooted: kept.is_some(),
            kept_bytes: kept.unwrap_or(0),
            key: entry.key,
        }
    });
    rows.collect()
}

fn list(rows: &[CachedRow]) -> String {
    if rows.is_empty() {
        return "the cache is empty\n".into();
    }
    let now = now();
    let line = |row: &CachedRow| {
        let modules = if row.modules.is_empty() {
            "no module".into()
        } else {
            row.modules.join(", ")
        };
        let took = duration(time_of(row.milliseconds));
        let age = duration(Duration::from_secs(now.saturating_sub(row.used)));
        let kept = match row.rooted {
            true => format!("built, keeps {}", bytes(row.kept_bytes)),
            false => "not built or not kept".into(),
        };
        neutral(&format!(
            "{}: {modules}; evaluated in {took}; last used {age} ago; {kept}",
            row.host
        )) + "\n"
    };
    rows.iter().map(line).collect()
}

/// Statistics of the cache (`docs/json.md`).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    schema: u8,
    results: usize,
    bytes: u64,
    rooted: usize,
    kept_bytes: u64,
}

impl Stats {
    fn of(results: &Results) -> Self {
        let rows = rows(results);
        Self {
            schema: 1,
            results: rows.len(),
            bytes: results.size(),
            rooted: rows.iter().filter(|row| row.rooted).count(),
            kept_bytes: rows.iter().map(|row| row.kept_bytes).sum(),
        }
    }

    fn human(&self) -> String {
        let Self {
            results, rooted, ..
        } = self;
        let (bytes, kept) = (bytes(self.bytes), bytes(self.kept_bytes));
        format!(
            "{results} results, {bytes}\n{rooted} of them built and kept in the store, using {kept} beyond the running system\n"
        )
    }
}
