//! `cache`: lists, counts or removes cached evaluation results.

use std::time::Duration;

use anyhow::Result;
use schemars::JsonSchema;
use serde::Serialize;

use runtime_module_core::choice::CacheAction;
use runtime_module_core::clock::{now, seconds};
use runtime_module_core::error::neutral;
use runtime_module_core::output::{print_result, print_sorted_result};
use runtime_module_core::progress::{bytes, duration};
use runtime_module_core::timings::time_of;
use runtime_module_nix::cache::Results;
use runtime_module_nix::error::CacheError;
use runtime_module_nix::session::NixSession;

/// A cached result.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CachedRow {
    /// The digest of the cache key.
    key: String,
    /// The name of the host.
    host: String,
    /// The modules that the host was extended with.
    modules: Vec<String>,
    /// The time at which it was cached, in seconds since 1970.
    made: u64,
    /// The time at which it was last used, in seconds since 1970.
    used: u64,
    /// The duration of its evaluation in milliseconds.
    milliseconds: f64,
    /// The store path of the system; null if no system was evaluated.
    toplevel: Option<String>,
    /// Whether a GC root keeps its output in the store.
    rooted: bool,
    /// The size in bytes of the store paths that this GC root keeps, without those of the system
    /// that was running when the root was made.
    kept_bytes: u64,
}

/// The JSON document that `cache list` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CacheList {
    schema: u64,
    /// The results; the most recently used one comes first.
    results: Vec<CachedRow>,
}

/// The JSON document that `cache clear` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CacheCleared {
    schema: u64,
    /// The number of removed results.
    removed: usize,
}

/// Runs the requested action.
pub fn run(session: &NixSession, action: CacheAction) -> Result<()> {
    let results = Results::open(&session.locations);
    let results = results.map_err(|reason| CacheError::Unusable { reason })?;
    match action {
        CacheAction::List => {
            let document = CacheList {
                schema: 1,
                results: rows(&results),
            };
            print_sorted_result(session, &document, |document| list(&document.results))
        }
        CacheAction::Stats => print_result(session, &CacheStats::of(&results), CacheStats::human),
        CacheAction::Clear => {
            let removed = results.clear()?;
            let document = CacheCleared { schema: 1, removed };
            print_sorted_result(session, &document, |_| match removed {
                1 => "1 result removed\n".into(),
                count => format!("{count} results removed\n"),
            })
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
            false => "no build output kept".into(),
        };
        neutral(&format!(
            "{}: {modules}; evaluated in {took}; last used {age} ago; {kept}",
            row.host
        )) + "\n"
    };
    rows.iter().map(line).collect()
}

/// The JSON document that `cache stats` prints.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CacheStats {
    schema: u8,
    /// The number of results.
    results: usize,
    /// The size of the result files in bytes.
    bytes: u64,
    /// The number of results whose output a GC root keeps in the store.
    rooted: usize,
    /// The size in bytes of the store paths that these GC roots keep.
    kept_bytes: u64,
}

impl CacheStats {
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
            "{results} results in {bytes}\n{rooted} of them are built and kept in the store; they take {kept} in addition to the running system\n"
        )
    }
}
