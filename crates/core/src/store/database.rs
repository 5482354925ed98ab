//! Reads from the store's database which paths are valid.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

/// The maximum time that a writer of the database may block a query. Nix itself retries for hours,
/// but prints a warning.
const WAIT_LIMIT: Duration = Duration::from_secs(60);

/// Returns whether the database lists a path as valid (NixOS/nix, `libstore/schema.sql`).
pub(super) fn is_valid(database: &Path, path: &str) -> Result<bool> {
    let ask = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(database, flags)?;
        connection.busy_timeout(WAIT_LIMIT)?;
        connection
            .query_row(
                "select 1 from ValidPaths where path = ?",
                [path],
                |_| Ok(()),
            )
            .optional()
    };
    let found = ask()
        .with_context(|| format!("cannot read the store's database {}", database.display()))?;
    Ok(found.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_write_ahead_log_are_valid() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("db.sqlite");
        let writer = Connection::open(&file).expect("a database");
        writer
            .execute_batch(
                "pragma journal_mode = wal;
                 create table ValidPaths (id integer primary key, path text unique not null);
                 insert into ValidPaths (path) values ('/nix/store/a');",
            )
            .expect("written");
        // The writer is still open, so its changes are only in the write-ahead log.
        assert!(is_valid(&file, "/nix/store/a").expect("read"));
        assert!(!is_valid(&file, "/nix/store/b").expect("read"));
        drop(writer);
        assert!(is_valid(&file, "/nix/store/a").expect("read after the last writer has left"));
    }

    #[test]
    fn missing_database_is_an_error() {
        let error = is_valid(Path::new("/nonexistent/db.sqlite"), "/nix/store/a");
        let error = error.expect_err("no database").to_string();
        assert!(error.contains("/nonexistent/db.sqlite"), "{error}");
    }
}
