//! The readers of untrusted bytes, each as one function, for the targets in `fuzz/` and for the
//! test that replays their corpus.
//!
//! A reader takes bytes, and a directory that replaces the machine's root. It ignores errors,
//! because an error is a valid answer to invalid input. It panics if a value changes when it is
//! written and read again, or if the value contradicts the bytes. It does not write files. The
//! caller writes the bytes to [`Reader::file`], and creates the file in [`Reader::companion`].

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::activation::{compare, unit_changes};
use crate::cache::Results;
use crate::estimate::Estimate;
use crate::host::{LocalHost, Machine, Profile};
use crate::locations::Locations;
use crate::messages::{Greeting, receive};
use crate::overrides::{diff, export, state_at};
use crate::record::{outcome, process_locking_in, process_named};
use crate::{activation, evaluation, facts, pool};
use runtime_module_core::report::history_in_words;

/// A reader of one kind of file or message.
#[derive(Clone, Copy)]
pub struct Reader {
    /// Name of the fuzz target and of the directory with its corpus.
    pub name: &'static str,
    /// Path of the file below the machine's root; `None` for messages.
    pub file: Option<&'static str>,
    /// Path and content of another file, without which this one would be ignored.
    pub companion: Option<(&'static str, &'static str)>,
    /// Turns the bytes into the content of the file. For files with checksums, it adds the
    /// checksum, which a fuzzer would never guess.
    pub encode: fn(&[u8]) -> Vec<u8>,
    /// Reads the file below the machine's root, or the message.
    pub read: fn(&Path, &[u8]),
}

pub const READERS: [Reader; 26] = [
    file("state", "run/runtime-modules/state.json", state),
    file("wanted", "var/lib/runtime-modules/wanted.json", state),
    file("history", "run/runtime-modules/history", history),
    Reader {
        encode: record,
        ..file("history-record", "run/runtime-modules/history", history)
    },
    file("overrides", "run/runtime-modules/overrides", overrides),
    Reader {
        encode: record,
        ..file(
            "overrides-record",
            "run/runtime-modules/overrides",
            overrides,
        )
    },
    file("config", "etc/runtime-modules/config.json", config),
    file("estimate", "cache/estimates/box-08a9483a.json", estimate),
    Reader {
        encode: summed,
        ..file("result", "cache/results/a-b.json", results)
    },
    message("greeting", |_, bytes| messages::<Greeting>(bytes)),
    message("evaluator-request", |_, bytes| {
        messages::<evaluation::EvaluationRequest>(bytes)
    }),
    message("evaluator-answer", |_, bytes| {
        messages::<evaluation::EvaluatorMessage>(bytes)
    }),
    message("activator-request", |_, bytes| {
        messages::<activation::Request>(bytes)
    }),
    message("activator-answer", |_, bytes| {
        messages::<activation::ActivationMessage>(bytes)
    }),
    file("outcome", "run/runtime-modules/log/1-1.outcome", report),
    message("switch-output", |_, bytes| {
        activation::read_switch_output(bytes)
    }),
    file("inhibitors", "system/switch-inhibitors", system),
    file("unit", "system/etc/systemd/system/a.service", units),
    file("holder", "run/runtime-modules/holder", who_holds),
    message("locks", |_, bytes| locks(bytes)),
    message("template-request", |_, bytes| messages::<pool::Ask>(bytes)),
    message("template-answer", |_, bytes| {
        messages::<pool::TemplateMessage>(bytes)
    }),
    Reader {
        companion: Some((MODULES_DEP, "kernel/drivers/block/loop.ko.xz:\n")),
        ..file(
            "modules-load",
            "system/etc/modules-load.d/nixos.conf",
            to_load,
        )
    },
    file("modules-dep", MODULES_DEP, has_files),
    file(
        "modules-builtin",
        "run/booted-system/kernel-modules/lib/modules/6.1.0/modules.builtin",
        has_files,
    ),
    Reader {
        companion: Some((MODULES_DEP, "kernel/drivers/block/loop.ko.xz:\n")),
        ..file(
            "modules-alias",
            "run/booted-system/kernel-modules/lib/modules/6.1.0/modules.alias",
            has_aliases,
        )
    },
];

/// File that lists the modules of the booted kernel.
const MODULES_DEP: &str = "run/booted-system/kernel-modules/lib/modules/6.1.0/modules.dep";

const fn file(name: &'static str, file: &'static str, read: fn(&Path, &[u8])) -> Reader {
    Reader {
        name,
        file: Some(file),
        companion: None,
        encode: <[u8]>::to_vec,
        read,
    }
}

const fn message(name: &'static str, read: fn(&Path, &[u8])) -> Reader {
    Reader {
        name,
        file: None,
        companion: None,
        encode: <[u8]>::to_vec,
        read,
    }
}

fn locations(root: &Path) -> Locations {
    Locations::new(root, root.join("cache"))
}

fn state(root: &Path, _: &[u8]) {
    if let Ok(state) = LocalHost::new(&locations(root)).state() {
        same(&state);
        for running in [None, Some("/nix/store/a"), state.current.as_deref()] {
            let _ = state.base_of(running);
        }
    }
}

fn history(root: &Path, _: &[u8]) {
    let entries = LocalHost::new(&locations(root))
        .history()
        .unwrap_or_default();
    for entry in &entries {
        let json = serde_json::to_string(entry).expect("a record that was read can be written");
        assert!(!json.contains('\n'), "a record is a line");
    }
    // Each record gives at most three lines: description, system and phases.
    let lines = 3 * entries.len() + 1;
    let report = history_in_words(entries, Some("/nix/store/a"));
    assert!(report.lines().count() <= lines, "{report}");
}

/// Reads the history of overrides, and restores each of its generations.
fn overrides(root: &Path, _: &[u8]) {
    let (all, last) = (
        LocalHost::new(&locations(root)).generations(),
        LocalHost::new(&locations(root)).last_generation(),
    );
    let Ok(all) = all else {
        return;
    };
    let last = last.expect("the end of an intact file can be read");
    assert_eq!(last.as_ref(), all.last());
    for one in &all {
        same(one);
        assert!(!one.words().is_empty());
        if let Ok(state) = state_at(&all, one.number) {
            same(&state);
            assert_eq!(diff(&state, &state), []);
            let text = export(&state);
            assert!(text.lines().count() >= 3, "{text}");
        }
    }
}

/// Makes a line with one record: the length and checksum of the JSON text, then the text.
fn record(json: &[u8]) -> Vec<u8> {
    let head = format!("{} {:08x} ", json.len(), crc32fast::hash(json));
    [head.as_bytes(), json, b"\n"].concat()
}

fn report(root: &Path, _: &[u8]) {
    if let Ok(Some(report)) = outcome::<activation::ActivationMessage>(&locations(root), "1-1") {
        let sent = serde_json::to_vec(&report).expect("an answer that was read can be written");
        messages::<activation::ActivationMessage>(&[&sent[..], b"\n"].concat());
    }
}

/// Compares a system with itself, as the preflight checks compare two systems.
fn system(root: &Path, _: &[u8]) {
    let locations = locations(root);
    let machine = Machine::with_running(&locations, Some(&root.join("system")));
    let findings = compare("enable hello", &Profile::of(&root.join("system")), &machine);
    // A system does not differ from itself.
    assert!(findings.objections.is_empty(), "{findings:?}");
}

/// Computes the effect of a switch on units.
fn units(root: &Path, _: &[u8]) {
    let _ = unit_changes(None, &root.join("system"), &locations(root));
    let same = unit_changes(
        Some(&root.join("system")),
        &root.join("system"),
        &locations(root),
    );
    assert!(same.user.is_empty(), "{same:?}");
}

/// Reads the description of the lock's holder.
fn who_holds(root: &Path, bytes: &[u8]) {
    // There is no lock in this directory, so nobody holds it, even if the file names a holder.
    assert_eq!(LocalHost::new(&locations(root)).lock_holder(), None);
    let Ok(words) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Some(process) = process_named(words) {
        let ours = format!("enable hello (process {process})\n");
        assert_eq!(process_named(&ours), Some(process), "{words:?}");
        // A truncated line names no process.
        let line = !words.trim_end_matches('\n').contains('\n');
        let cut = |end| words.get(..end).and_then(process_named);
        let named = (0..words.len()).find_map(cut);
        assert!(!line || named.is_none(), "{words:?} names {named:?} early");
    }
}

/// Reads the kernel's list of locks.
fn locks(bytes: &[u8]) {
    let list = String::from_utf8_lossy(bytes);
    let all = |list: &str| process_locking_in(list, |_| true);
    assert_eq!(process_locking_in(&list, |_| false), None);
    let found = all(&list);
    let report = |process: u32| {
        list.split_whitespace()
            .any(|word| word.parse() == Ok(process))
    };
    assert!(found.is_none_or(report), "{found:?}");
    // Other kinds of locks, and waiting ones, do not count. The first held lock counts.
    let others = "1: POSIX  ADVISORY  WRITE 11 fe:00:7 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 12 fe:00:7 0 EOF\n";
    assert_eq!(all(&format!("{others}{list}")), found);
    let held = "2: FLOCK  ADVISORY  WRITE 13 fe:00:7 0 EOF\n";
    assert_eq!(all(&format!("{others}{held}{list}")), Some(13));
    assert_eq!(all(&format!("{list}\n{held}")), found.or(Some(13)));
}

/// Returns the warning about kernel modules that a system loads and the booted machine lacks.
fn missed(root: &Path, to: &Profile) -> Option<String> {
    let machine = Machine::with_running(&locations(root), None);
    compare("enable hello", to, &machine).warnings.pop()
}

/// Returns the profile of a system that loads one module.
fn wants(module: &str) -> Profile {
    Profile::expected(&facts::Facts {
        kernel_modules: Some(vec![module.to_string()]),
        ..facts::Facts::default()
    })
}

/// A name that no list of modules can contain.
const NO_MODULE: &str = "no such/module";

/// Reads the list of modules that a system loads.
fn to_load(root: &Path, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let lacking: BTreeSet<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#') && *line != "loop")
        .collect();
    let missed = missed(root, &Profile::of(&root.join("system")));
    assert_eq!(missed.is_none(), lacking.is_empty(), "{missed:?}");
    for name in lacking {
        assert!(missed.as_ref().is_some_and(|report| report.contains(name)));
    }
}

/// Checks that no module in a list of the kernel's module files is reported as missing.
fn has_files(root: &Path, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    for line in text.lines().take(8) {
        let file = line.split(':').next().unwrap_or_default();
        let file = file.rsplit('/').next().unwrap_or_default();
        let name = file.split('.').next().unwrap_or_default();
        // The kernel treats - and _ alike.
        for name in [name, &name.replace('_', "-"), &name.replace('-', "_")] {
            assert_eq!(missed(root, &wants(name)), None, "{line:?} has {name}");
        }
    }
    // Without a list of modules there is no warning.
    let warned = missed(root, &wants(NO_MODULE)).is_some();
    assert_eq!(warned, text.lines().next().is_some(), "{text:?}");
}

/// Reads the aliases of the kernel's modules.
fn has_aliases(root: &Path, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    for alias in text
        .lines()
        .take(8)
        .filter_map(|line| line.split(' ').nth(1))
    {
        assert_eq!(missed(root, &wants(alias)), None, "{alias}");
    }
    assert_eq!(missed(root, &wants("loop")), None);
    assert!(missed(root, &wants(NO_MODULE)).is_some());
}

fn config(root: &Path, _: &[u8]) {
    if let Ok(Some(baked)) = LocalHost::new(&locations(root)).baked() {
        let _ = (baked.source(), baked.registry());
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

/// Adds a checksum to a text.
fn summed(text: &[u8]) -> Vec<u8> {
    let sum = format!("\n{:08x}\n", crc32fast::hash(text));
    [text, sum.as_bytes()].concat()
}

fn results(root: &Path, _: &[u8]) {
    if let Ok(results) = Results::open(&locations(root)) {
        let _ = results.entries();
    }
}

/// Reads all messages in the bytes, and checks that each stays the same when it is sent again.
fn messages<T: Serialize + DeserializeOwned>(mut bytes: &[u8]) {
    while let Ok(Some(message)) = receive::<T>(&mut bytes) {
        let sent = serde_json::to_vec(&message).expect("a message that was read can be sent");
        let again: T = serde_json::from_slice(&sent).expect("a message that was sent can be read");
        // Not every message can be compared, but its JSON can.
        let again = serde_json::to_vec(&again).expect("a message that was read can be sent");
        assert_eq!(
            String::from_utf8_lossy(&sent),
            String::from_utf8_lossy(&again)
        );
    }
}

fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_string(value).expect("a value that was read can be written");
    let again: T = serde_json::from_str(&text).expect("a value that was written can be read");
    assert_eq!(value, &again);
}
