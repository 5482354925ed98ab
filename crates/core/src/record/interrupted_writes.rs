//! Interrupts the write of each file at every byte, once with a full disk and once with a kill.
//! After each interruption, the reader must see the old content. The next writer must succeed and
//! must not leave a temporary file.

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::*;
use crate::fault::within;
use crate::overrides::{Definition, Edit, Generation};

/// Creates a fake machine, in memory if possible, because the test syncs thousands of files.
fn machine() -> (tempfile::TempDir, Locations) {
    let memory = Path::new("/dev/shm");
    let dir = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    let dir = dir.expect("a temporary folder");
    let locations = Locations::new(dir.path(), dir.path().join("cache"));
    (dir, locations)
}

/// Returns the names of all files and folders of a machine.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        }
        found.push(entry.file_name().to_string_lossy().into_owned());
    }
    found.sort();
    found
}

/// Interrupts the write of the second version of a file at each byte. `write` writes a version, and
/// `read` reads the current version.
fn interrupt_at_every_byte<T: PartialEq + Debug>(
    point: &str,
    file: impl Fn(&Locations) -> PathBuf,
    write: impl Fn(&Locations, u64) -> Result<()>,
    read: impl Fn(&Locations) -> T,
) {
    let written = |versions: &[u64]| {
        let (dir, locations) = machine();
        for version in versions {
            write(&locations, *version).expect("written");
        }
        (dir, locations)
    };
    let bytes = |versions: &[u64]| {
        let (_dir, locations) = written(versions);
        fs::read(file(&locations)).unwrap_or_default()
    };
    let (first, second) = (bytes(&[1]), bytes(&[1, 2]));
    let kept = if second.starts_with(&first) {
        first.len()
    } else {
        0
    };
    let length = second.len() - kept;
    assert!(length > 3, "{point}: nothing is written");

    let (old_dir, old) = written(&[1]);
    let old = read(&old);
    let (new_dir, new) = written(&[1, 3]);
    let (new, tidy) = (read(&new), files(new_dir.path()));
    drop((old_dir, new_dir));
    assert_ne!(old, new, "{point}");

    for end in ["short", "cut"] {
        for byte in 0..length {
            let fault = format!("{point}:after:{end}={byte}");
            let (dir, locations) = written(&[1]);
            let done = within::with(&fault, || write(&locations, 2));
            assert!(!matches!(done, Some(Ok(()))), "{fault} did not occur");
            assert_eq!(read(&locations), old, "{fault}");
            write(&locations, 3).unwrap_or_else(|error| panic!("{fault}: {error:#}"));
            assert_eq!(read(&locations), new, "{fault}");
            assert_eq!(files(dir.path()), tidy, "{fault}");
        }
    }
}

fn state(revision: u64) -> State {
    State {
        schema: SCHEMA,
        revision,
        current: Some("/nix/store/a".into()),
        wanted: vec!["hello".into()],
        pending: Some(Pending {
            transaction: format!("{revision}-1"),
            to: "/nix/store/b".into(),
            ..Pending::default()
        }),
        ..State::default()
    }
}

fn entry(revision: u64, time: u64) -> Entry {
    Entry {
        revision,
        transaction: format!("{revision}-1"),
        time,
        to: "/nix/store/b".into(),
        ..Entry::default()
    }
}

#[test]
fn interrupted_state_write_loses_nothing() {
    interrupt_at_every_byte(
        "write.state",
        Locations::state,
        |locations, version| state(version).write(locations),
        |locations| State::read(locations).expect("an intact state"),
    );
}

#[test]
fn interrupted_wanted_write_loses_nothing() {
    let wanted = |version: u64| Wanted {
        schema: SCHEMA,
        modules: vec![format!("module-{version}"), "hello".into()],
    };
    interrupt_at_every_byte(
        "write.wanted",
        Locations::wanted,
        |locations, version| wanted(version).write(locations),
        |locations| State::read(locations).expect("requested modules").wanted,
    );
}

#[test]
fn interrupted_history_write_loses_nothing() {
    // Adding a record also removes records that are too old, so test this case too.
    for time in [|_| 1, |version| version * (AGE + 1)] {
        let time: fn(u64) -> u64 = time;
        interrupt_at_every_byte(
            "write.history",
            Locations::history,
            |locations, version| append_history(locations, &entry(version, time(version))),
            |locations| read_history(locations).expect("an intact history"),
        );
    }
}

#[test]
fn interrupted_overrides_write_loses_nothing() {
    let generation = |number: u64| Generation {
        number,
        time: 7,
        user: "ada".into(),
        message: Some("a\nb".into()),
        transaction: format!("{number}-1"),
        edit: Edit::Unset {
            paths: vec![vec!["services".into(), "x".into()]],
        },
    };
    interrupt_at_every_byte(
        "write.overrides",
        Locations::overrides_log,
        |locations, version| append_override(locations, &generation(version)),
        |locations| {
            let all = read_overrides(locations).expect("an intact history");
            assert_eq!(
                last_override(locations).expect("an end"),
                all.last().cloned()
            );
            all
        },
    );
}

#[test]
fn interrupted_write_of_kept_overrides_loses_nothing() {
    let kept = |version: u64| KeptOverrides {
        schema: SCHEMA,
        definitions: vec![Definition {
            path: vec!["services".into(), "x".into()],
            value: version.into(),
            persist: true,
            ..Definition::default()
        }],
    };
    interrupt_at_every_byte(
        "write.kept-overrides",
        Locations::kept_overrides,
        |locations, version| kept(version).write(locations),
        |locations| State::read(locations).expect("intact overrides").overrides,
    );
}

#[test]
fn interrupted_message_write_loses_nothing() {
    // Each of these files has a unique name, so it is never replaced.
    let message = |version: u64| serde_json::json!({"task": "confirm", "version": version});
    interrupt_at_every_byte(
        "write.request",
        |locations| locations.request("1-1"),
        |locations, version| match version {
            1 => Ok(()),
            _ => hand_over(locations, "1-1", &message(version)),
        },
        |locations| take_over::<serde_json::Value>(locations, "1-1").ok(),
    );
    interrupt_at_every_byte(
        "write.outcome",
        |locations| locations.outcome("1-1"),
        |locations, version| match version {
            1 => Ok(()),
            _ => leave_outcome(locations, "1-1", &message(version)),
        },
        |locations| outcome::<serde_json::Value>(locations, "1-1").expect("an intact outcome"),
    );
}

#[test]
fn interrupted_holder_write_names_no_other_process() {
    let take = |locations: &Locations, purpose: &str| hold(locations, purpose, Duration::ZERO);
    let name = format!("enable hello (process {})\n", std::process::id());
    for end in ["short", "cut"] {
        for byte in 0..name.len() {
            let fault = format!("write.lock:after:{end}={byte}");
            let (_dir, locations) = machine();
            drop(take(&locations, "disable everything").expect("free"));
            let done = within::with(&fault, || take(&locations, "enable hello"));
            // If writing the name fails, the lock is still held, but its holder has no description.
            let unnamed = format!("another run (process {})", std::process::id());
            let held = (end == "short").then_some(unnamed);
            assert_eq!(holder(&locations), held, "{fault}");
            assert_eq!(
                done.is_some_and(|done| done.is_ok()),
                end == "short",
                "{fault}"
            );
            let _held = take(&locations, "reset").expect("free");
            let told = format!("reset (process {})", std::process::id());
            assert_eq!(holder(&locations), Some(told), "{fault}");
        }
    }
}
