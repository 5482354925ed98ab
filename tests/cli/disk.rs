//! What is on disk after a change, and with which rights.

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use unix::sys::signal::{Signal, kill};

use crate::support::{PROGRAM, TestEnv, nix, read_json};

fn mode(path: &Path) -> u32 {
    fs::metadata(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .permissions()
        .mode()
        & 0o7777
}

#[test]
fn the_state_says_what_is_true() {
    let env = TestEnv::new();
    let base = env.running();
    env.run(&["enable", "hello", "inline"]).ok();
    let state = env.state();
    assert_eq!(state["schema"], 1);
    assert_eq!(state["revision"], 2);
    assert_eq!(state["wanted"], json!(["hello", "inline"]));
    assert_eq!(state["active"], json!(["hello", "inline"]));
    assert_eq!(state["current"], env.running().display().to_string());
    assert_eq!(state["base"]["toplevel"], base.display().to_string());
    assert_eq!(state["pin"]["host"], "box");
    assert_eq!(state["pending"], serde_json::Value::Null);
    let locked = state["pin"]["locked"].as_str().expect("a reference");
    let source = state["pin"]["source"].as_str().expect("a path");
    assert!(
        locked.starts_with(&format!("path:{source}?")) && locked.contains("narHash="),
        "{locked}"
    );
    crate::support::compare(
        "state",
        &env.normalise(
            &fs::read_to_string(env.root("run/runtime-modules/state.json")).expect("read"),
        ),
    );
}

#[test]
fn files_and_units_of_a_module_are_there_and_go_again() {
    let env = TestEnv::new();
    env.run(&["enable", "web", "folder", "users", "clock"]).ok();
    assert_eq!(
        env.etc("web/index.html").as_deref(),
        Some("<h1>minios</h1>\n")
    );
    assert!(
        env.etc("systemd/system/web.service")
            .is_some_and(|unit| unit.contains("ExecStart="))
    );
    assert!(env.root("var/lib/clock").exists());
    assert_eq!(env.unit("web.service").as_deref(), Some("active"));
    env.run(&["disable", "web", "folder", "users", "clock"])
        .ok();
    assert_eq!(env.etc("web/index.html"), None);
    assert_eq!(env.etc("systemd/system/web.service"), None);
    assert_eq!(env.unit("web.service"), None);
    assert_eq!(env.unit("heartbeat.service").as_deref(), Some("active"));
}

#[test]
fn everyone_may_read_the_state_and_nobody_else_the_logs() {
    let env = TestEnv::new();
    env.run(&["enable", "inline"]).ok();
    let run = env.root("run/runtime-modules");
    assert_eq!(mode(&run), 0o755);
    assert_eq!(mode(&run.join("state.json")), 0o644);
    assert_eq!(mode(&run.join("history")), 0o644);
    assert_eq!(mode(&run.join("lock")), 0o600);
    assert_eq!(mode(&run.join("holder")), 0o644);
    assert_eq!(
        mode(&env.root("var/lib/runtime-modules/wanted.json")),
        0o644
    );
    let logs: Vec<PathBuf> = fs::read_dir(run.join("log"))
        .expect("logs")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert_eq!(logs.len(), 2);
    assert!(logs.iter().all(|log| mode(log) == 0o600), "{logs:?}");
    assert!(logs.iter().any(|log| {
        fs::read_to_string(log)
            .expect("a log")
            .contains("setting up /etc...")
    }));
}

#[test]
fn the_history_has_a_record_for_each_transaction() {
    let env = TestEnv::new();
    env.run(&["enable", "inline"]).ok();
    env.run(&["enable", "failing-activation"]).ends_with(6);
    env.run(&["reset"]).ok();
    let history = fs::read_to_string(env.root("run/runtime-modules/history")).expect("the history");
    let mut records = Vec::new();
    for line in history.lines() {
        let (length, rest) = line.split_once(' ').expect("a length");
        let (sum, json) = rest.split_once(' ').expect("a checksum");
        assert_eq!(length.parse(), Ok(json.len()));
        assert_eq!(
            u32::from_str_radix(sum, 16),
            Ok(crc32fast::hash(json.as_bytes()))
        );
        records.push(serde_json::from_str::<serde_json::Value>(json).expect("JSON"));
    }
    let told: Vec<_> = records
        .iter()
        .map(|one| {
            (
                one["revision"].as_u64(),
                one["outcome"].as_str(),
                &one["modules"],
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (Some(1), Some("activated"), &json!([])),
            (Some(2), Some("activated"), &json!(["inline"])),
            (
                Some(3),
                Some("returned"),
                &json!(["inline", "failing-activation"])
            ),
            (Some(4), Some("activated"), &json!([])),
        ]
    );
    for record in &records {
        let phases = record["phases"].as_object().expect("phases");
        let parts: f64 = phases
            .iter()
            .filter(|(name, _)| *name != "total")
            .filter_map(|(_, time)| time.as_f64())
            .sum();
        let total = phases["total"].as_f64().expect("a total");
        assert!(
            total >= parts * 0.99,
            "phases take {parts} ms, and all of it {total} ms: {record}"
        );
    }
}

#[test]
fn what_runs_its_base_and_its_source_are_kept_from_the_collector() {
    let env = TestEnv::new();
    let base = env.running();
    env.run(&["enable", "inline"]).ok();
    let state = env.state();
    let kept: Vec<PathBuf> = fs::read_dir(env.root("run/runtime-modules/roots"))
        .expect("roots")
        .map(|entry| fs::read_link(entry.expect("an entry").path()).expect("a link"))
        .collect();
    for path in [
        base,
        env.running(),
        state["pin"]["source"].as_str().expect("a source").into(),
    ] {
        assert!(
            kept.contains(&path),
            "{} is not among {kept:?}",
            path.display()
        );
    }
    // Indirect roots: the store itself knows of each.
    let registered: Vec<PathBuf> = fs::read_dir(env.path("state/gcroots/auto"))
        .expect("indirect roots")
        .filter_map(|entry| fs::read_link(entry.expect("an entry").path()).ok())
        .collect();
    for entry in fs::read_dir(env.root("run/runtime-modules/roots")).expect("roots") {
        let path = entry.expect("an entry").path();
        assert!(
            registered.contains(&path),
            "{} is not registered: {registered:?}",
            path.display()
        );
    }
}

/// How many systems there are, one more than the base for each module.
const STEPS: usize = 15;

/// A machine with the modules `step-1`, `step-2`, …, each of which makes another system.
fn with_steps() -> TestEnv {
    let step =
        |n| format!("step-{n}.module = {{ environment.etc.step-{n}.text = \"{n}\"; }};\n      ");
    let steps: String = (1..=STEPS).map(step).collect();
    let declared = |text: &str| text.replacen("inline = {", &format!("{steps}inline = {{"), 1);
    TestEnv::fixture()
        .edit("hosts/box.nix", declared)
        .start("box")
}

/// Turns these on, one after the other; the names of the systems that ran then.
fn take_steps(env: &TestEnv, steps: RangeInclusive<usize>) -> Vec<String> {
    let mut systems = Vec::new();
    for step in steps {
        let module = format!("step-{step}");
        env.run(&["enable", &module, "--progress", "off"]).ok();
        systems.push(name_of(&env.running()));
    }
    systems
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().expect("a name");
    name.to_string_lossy().into_owned()
}

/// Names in a folder of ours.
fn names(env: &TestEnv, folder: &str) -> BTreeSet<String> {
    let folder = env.root("run/runtime-modules").join(folder);
    let entries = fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| name_of(&entry.expect("an entry").path()))
        .collect()
}

/// Makes all records of the history but the last ones so many seconds older, with their lengths and checksums.
fn age_history(env: &TestEnv, last: usize, seconds: u64) {
    let path = env.root("run/runtime-modules/history");
    let text = fs::read_to_string(&path).expect("the history");
    let old = text.lines().count() - last;
    let aged = text.lines().enumerate().map(|(index, line)| {
        let json = line.splitn(3, ' ').nth(2).expect("a record");
        let mut record: serde_json::Value = serde_json::from_str(json).expect("JSON");
        if index < old {
            let time = record["time"].as_u64().expect("a time");
            record["time"] = json!(time - seconds);
        }
        let json = record.to_string();
        let sum = crc32fast::hash(json.as_bytes());
        format!("{} {sum:08x} {json}\n", json.len())
    });
    let aged: String = aged.collect();
    fs::write(&path, aged).expect("written");
}

#[test]
fn systems_are_let_go_when_they_are_too_many_and_when_they_are_too_old() {
    let env = with_steps();
    let mut systems = vec![name_of(&env.running())];
    systems.extend(take_steps(&env, 1..=STEPS - 1));
    let distinct: BTreeSet<_> = systems.iter().collect();
    assert_eq!(distinct.len(), STEPS, "{systems:?}");
    let source = env.state()["pin"]["source"].clone();
    let source = name_of(Path::new(source.as_str().expect("a path")));
    let kept = |systems: &[String]| -> BTreeSet<String> {
        systems.iter().chain([&source]).cloned().collect()
    };

    // The last ten changes can be returned from and to, which makes eleven systems; and the base is always wanted.
    let mut last = systems[STEPS - 11..].to_vec();
    last.push(systems[0].clone());
    assert_eq!(names(&env, "roots"), kept(&last));
    assert_eq!(names(&env, "log").len(), STEPS, "each has its log");

    // All but the last three are older than two weeks: they go with the next change, and so do their records and logs.
    age_history(&env, 3, 15 * 24 * 3600);
    systems.extend(take_steps(&env, STEPS..=STEPS));
    let mut last = systems[STEPS - 4..].to_vec();
    last.push(systems[0].clone());
    assert_eq!(names(&env, "roots"), kept(&last));
    assert_eq!(names(&env, "log").len(), 4);
    let history = env.json(&["history"]);
    let told = history["transactions"].as_array().expect("a list");
    assert_eq!(told.len(), 4, "{history:#}");
    // What is told to be there can be returned to.
    env.run(&["rollback", "13", "--progress", "off"]).ok();
    assert_eq!(name_of(&env.running()), systems[12]);
}

#[test]
fn our_own_executable_is_kept_while_a_transaction_runs() {
    let Some(nix) = nix("our_own_executable_is_kept_while_a_transaction_runs") else {
        return;
    };
    let env = TestEnv::new();
    // The program in the store, as it is on NixOS.
    fs::create_dir_all(env.path("home/program/bin")).expect("a folder");
    fs::copy(PROGRAM, env.path("home/program/bin/runtime-module")).expect("copied");
    let mut add = env.other(nix);
    add.args(["--extra-experimental-features", "nix-command"])
        .args(["store", "add", "--name", "runtime-module"])
        .arg(env.path("home/program"))
        .args(["--store", &env.store()]);
    let added = add.output().expect("nix");
    let own = String::from_utf8_lossy(&added.stdout).trim().to_string();
    assert!(Path::new(&own).is_dir(), "{added:?}");
    let program = Path::new(&own).join("bin/runtime-module");
    let command = |arguments: &[&str]| {
        let mut command = env.other(&program);
        command.args(arguments).args(["--progress", "off"]);
        command
    };
    let run = |arguments: &[&str]| env.start_running(command(arguments)).end();
    let root = env
        .root("run/runtime-modules/roots")
        .join(name_of(Path::new(&own)));
    let is_kept = || fs::read_link(&root).is_ok_and(|at| at == Path::new(&own));

    let mut faulty = command(&["enable", "inline"]);
    faulty.env("RUNTIME_MODULE_FAULT", "activator.switch:before:stop");
    let running = env.start_running(faulty);
    let stopped = env.processes().wait_for_stop(running.pid());
    assert!(is_kept(), "{:?}", names(&env, "roots"));
    kill(stopped.expect("it stands still"), Signal::SIGCONT).expect("it goes on");
    running.end().ok();
    assert!(!is_kept(), "nothing of ours runs any more");

    // What undoes it later is the very same program.
    for end in ["confirm", "rollback"] {
        run(&["enable", "conflict-a", "--confirm", "600s"]).ok();
        assert!(is_kept(), "{:?}", names(&env, "roots"));
        run(&[end]).ok();
        assert!(!is_kept(), "{end}");
        run(&["disable", "conflict-a"]);
    }

    // One that is refused, and one that goes back.
    let mut faulty = command(&["enable", "conflict-a"]);
    faulty.env("RUNTIME_MODULE_FAULT", "activator.preflight:before:eio");
    let ran = env.start_running(faulty).end();
    assert_ne!(ran.code, 0, "{}", ran.text());
    assert!(!is_kept());
    run(&["enable", "failing-activation"]).ends_with(6);
    assert!(!is_kept());
    env.processes().end();
}

#[test]
fn the_configuration_bakes_where_it_came_from() {
    let env = TestEnv::new();
    let baked = read_json(&env.root("etc/runtime-modules/config.json"));
    assert_eq!(
        (baked["schema"].as_u64(), baked["host"].as_str()),
        (Some(1), Some("box"))
    );
    let source = baked["flake"]["source"].as_str().expect("a source");
    assert!(
        Path::new(source).join("tests/minios/flake.nix").exists(),
        "{source}"
    );
    let url = baked["flake"]["url"].as_str().expect("a reference");
    assert!(
        url.starts_with("path:") && url.contains("narHash="),
        "{url}"
    );
}

#[test]
fn nothing_is_written_outside() {
    let env = TestEnv::new();
    env.run(&["enable", "inline"]).ok();
    // HOME is one of ours, and only the cache of evaluations and of fetches may be used.
    let home: Vec<_> = fs::read_dir(env.path("home"))
        .expect("home")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert!(home.is_empty(), "{home:?}");
    let here: Vec<String> = fs::read_dir(env.path(""))
        .expect("the folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let known = [
        "cache", "etc", "home", "log", "root", "source", "state", "store",
    ];
    assert!(
        here.iter().all(|name| known.contains(&name.as_str())),
        "{here:?}"
    );
}
