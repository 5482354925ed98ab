//! What reads bytes that others have written, each as one function: for the targets in `fuzz/`, and for the test that
//! replays their corpus.
//!
//! Takes a folder that stands for the machine, and bytes; returns nothing, as an error is a fine answer to nonsense. It
//! panics where something is read that is not the same when it is written and read again. It writes no file: who calls
//! puts the bytes where [`Reader::file`] says.

use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::activation::{Machine, Profile, compare, unit_changes};
use crate::baked::Baked;
use crate::cache::{Estimate, Results};
use crate::commands::history_in_words;
use crate::locations::Locations;
use crate::record::{State, outcome, read_history};
use crate::worker::{Greeting, receive};
use crate::{activation, evaluation};

/// One kind of file or message.
#[derive(Clone, Copy)]
pub struct Reader {
    /// The name of its target and of the folder with its corpus.
    pub name: &'static str,
    /// Where the bytes are to lie in the machine; none for messages.
    pub file: Option<&'static str>,
    /// Makes a file of them: where there are checksums, no fuzzer would ever come by.
    pub dress: fn(&[u8]) -> Vec<u8>,
    /// Reads the file in the machine, or the message.
    pub read: fn(&Path, &[u8]),
}

/// All of them.
pub const READERS: [Reader; 16] = [
    file("state", "run/runtime-modules/state.json", state),
    file("wanted", "var/lib/runtime-modules/wanted.json", state),
    file("history", "run/runtime-modules/history", history),
    Reader {
        dress: record,
        ..file("history-record", "run/runtime-modules/history", history)
    },
    file("config", "etc/runtime-modules/config.json", config),
    file("estimate", "cache/estimates/box-08a9483a.json", estimate),
    Reader {
        dress: summed,
        ..file("result", "cache/results/a-b.json", results)
    },
    message("greeting", |_, bytes| messages::<Greeting>(bytes)),
    message("evaluator-request", |_, bytes| {
        messages::<evaluation::Request>(bytes)
    }),
    message("evaluator-answer", |_, bytes| {
        messages::<evaluation::Answer>(bytes)
    }),
    message("activator-request", |_, bytes| {
        messages::<activation::Request>(bytes)
    }),
    message("activator-answer", |_, bytes| {
        messages::<activation::Answer>(bytes)
    }),
    file("outcome", "run/runtime-modules/log/1-1.outcome", told),
    message("switch-output", |_, bytes| {
        activation::read_switch_output(bytes)
    }),
    file("inhibitors", "system/switch-inhibitors", system),
    file("unit", "system/etc/systemd/system/a.service", units),
];

const fn file(name: &'static str, file: &'static str, read: fn(&Path, &[u8])) -> Reader {
    Reader {
        name,
        file: Some(file),
        dress: <[u8]>::to_vec,
        read,
    }
}

const fn message(name: &'static str, read: fn(&Path, &[u8])) -> Reader {
    Reader {
        name,
        file: None,
        dress: <[u8]>::to_vec,
        read,
    }
}

fn locations(root: &Path) -> Locations {
    Locations::new(root, root.join("cache"))
}

fn state(root: &Path, _: &[u8]) {
    if let Ok(state) = State::read(&locations(root)) {
        same(&state);
        for running in [None, Some("/nix/store/a"), state.current.as_deref()] {
            let _ = state.base_of(running);
        }
    }
}

fn history(root: &Path, _: &[u8]) {
    let entries = read_history(&locations(root)).unwrap_or_default();
    for entry in &entries {
        let json = serde_json::to_string(entry).expect("what was read can be written");
        assert!(!json.contains('\n'), "a record is a line");
    }
    // What it did, its system, its phases; nothing that is read makes more of them.
    let lines = 3 * entries.len() + 1;
    let told = history_in_words(entries, Some("/nix/store/a"));
    assert!(told.lines().count() <= lines, "{told}");
}

/// The line of a record.
fn record(json: &[u8]) -> Vec<u8> {
    let head = format!("{} {:08x} ", json.len(), crc32fast::hash(json));
    [head.as_bytes(), json, b"\n"].concat()
}

fn told(root: &Path, _: &[u8]) {
    if let Ok(Some(told)) = outcome::<activation::Answer>(&locations(root), "1-1") {
        let sent = serde_json::to_vec(&told).expect("what was read can be written");
        messages::<activation::Answer>(&[&sent[..], b"\n"].concat());
    }
}

/// What is compared of a system before a switch to it.
fn system(root: &Path, _: &[u8]) {
    let locations = locations(root);
    let machine = Machine::look(&locations, Some(&root.join("system")));
    let findings = compare("enable hello", &Profile::of(&root.join("system")), &machine);
    // Nothing differs from itself.
    assert!(findings.objections.is_empty(), "{findings:?}");
}

/// What a switch will do to units.
fn units(root: &Path, _: &[u8]) {
    let _ = unit_changes(None, &root.join("system"), &locations(root));
    let same = unit_changes(
        Some(&root.join("system")),
        &root.join("system"),
        &locations(root),
    );
    assert!(same.user.is_empty(), "{same:?}");
}

fn config(root: &Path, _: &[u8]) {
    if let Ok(Some(baked)) = Baked::read(&locations(root)) {
        let _ = (baked.pin(), baked.registry());
    }
}

fn estimate(root: &Path, _: &[u8]) {
    if let Some(estimate) = Estimate::read(&locations(root), "box") {
        for (files, elapsed) in [
            (0, 0),
            (1, 1),
            (estimate.files, u64::MAX >> 20),
            (u64::MAX, 7),
        ] {
            let share = estimate.share(files, Duration::from_millis(elapsed));
            assert!((0.0..=1.0).contains(&share), "{share}");
        }
    }
}

/// A text with its checksum.
fn summed(text: &[u8]) -> Vec<u8> {
    let sum = format!("\n{:08x}\n", crc32fast::hash(text));
    [text, sum.as_bytes()].concat()
}

fn results(root: &Path, _: &[u8]) {
    if let Ok(results) = Results::open(&locations(root)) {
        let _ = results.entries();
    }
}

/// All messages in the bytes, and each is the same when it has been sent again.
fn messages<T: Serialize + DeserializeOwned>(mut bytes: &[u8]) {
    while let Ok(Some(message)) = receive::<T>(&mut bytes) {
        let sent = serde_json::to_vec(&message).expect("what was read can be sent");
        let again: T = serde_json::from_slice(&sent).expect("what was sent can be read");
        // Not every message can be compared; its JSON can.
        let again = serde_json::to_vec(&again).expect("what was read can be sent");
        assert_eq!(
            String::from_utf8_lossy(&sent),
            String::from_utf8_lossy(&again)
        );
    }
}

fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_string(value).expect("what was read can be written");
    let again: T = serde_json::from_str(&text).expect("what was written can be read");
    assert_eq!(value, &again);
}
