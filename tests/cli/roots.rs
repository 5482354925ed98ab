//! GC roots: the store paths that they protect, and the time when they are removed.

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde_json::json;
use unix::sys::signal::{Signal, kill};

use crate::support::{FULL_PROGRAM, PROGRAM, TestEnv, nix};

#[test]
fn running_system_base_and_source_are_rooted() {
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
    // These are indirect roots, so the store must know each of them.
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

/// The number of modules, each of which results in a different system.
const STEPS: usize = 15;

/// Starts a machine with the modules `step-1`, `step-2` and so on.
fn with_steps() -> TestEnv {
    let step =
        |n| format!("step-{n}.module = {{ environment.etc.step-{n}.text = \"{n}\"; }};\n      ");
    let steps: String = (1..=STEPS).map(step).collect();
    let declared = |text: &str| text.replacen("inline = {", &format!("{steps}inline = {{"), 1);
    TestEnv::fixture()
        .edit("hosts/box.nix", declared)
        .start("box")
}

/// Enables these modules one after the other and returns the names of the systems.
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

/// Returns the file names in a folder below `run/runtime-modules`.
fn names(env: &TestEnv, folder: &str) -> BTreeSet<String> {
    let folder = env.root("run/runtime-modules").join(folder);
    let entries = fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| name_of(&entry.expect("an entry").path()))
        .collect()
}

/// Makes all records of the history older by `seconds`, except for the last `last` records. The
/// lengths and checksums stay correct, and the logs are renamed.
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
            let name = record["transaction"].as_str().expect("a name").to_string();
            let (asked, process) = name.split_once('-').expect("a time and a process");
            let asked: u64 = asked.parse().expect("milliseconds");
            let older = format!("{}-{process}", asked - seconds * 1000);
            let log = |name| env.root(&format!("run/runtime-modules/log/{name}.log"));
            fs::rename(log(&name), log(&older)).expect("renamed");
            record["transaction"] = json!(older);
        }
        let json = record.to_string();
        let sum = crc32fast::hash(json.as_bytes());
        format!("{} {sum:08x} {json}\n", json.len())
    });
    let aged: String = aged.collect();
    fs::write(&path, aged).expect("written");
}

#[test]
fn old_and_excess_systems_lose_their_roots() {
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

    // The last ten changes keep eleven systems reachable, and the base is always kept.
    let mut last = systems[STEPS - 11..].to_vec();
    last.push(systems[0].clone());
    assert_eq!(names(&env, "roots"), kept(&last));
    assert_eq!(
        names(&env, "log").len(),
        STEPS,
        "each transaction has a log"
    );

    // All but the last three are older than two weeks: the next change removes their GC roots,
    // records and logs.
    age_history(&env, 3, 15 * 24 * 3600);
    systems.extend(take_steps(&env, STEPS..=STEPS));
    let mut last = systems[STEPS - 4..].to_vec();
    last.push(systems[0].clone());
    assert_eq!(names(&env, "roots"), kept(&last));
    assert_eq!(names(&env, "log").len(), 4);
    let history = env.json(&["history"]);
    let found = history["transactions"].as_array().expect("a list");
    assert_eq!(found.len(), 4, "{history:#}");
    // A listed state can be restored.
    env.run(&["rollback", "13", "--progress", "off"]).ok();
    assert_eq!(name_of(&env.running()), systems[12]);
}

#[test]
fn own_executable_is_rooted_during_transactions() {
    let Some(nix) = nix("own_executable_is_rooted_during_transactions") else {
        return;
    };
    let env = TestEnv::new();
    let own = add_programs_to_store(&env, nix);
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
    kill(stopped.expect("a stopped process"), Signal::SIGCONT).expect("continued");
    running.end().ok();
    assert!(!is_kept(), "the GC root outlives the transaction");

    // The confirmation timer needs this program until the change is confirmed or rolled back.
    for end in ["confirm", "rollback"] {
        run(&["enable", "conflict-a", "--confirm", "600s"]).ok();
        assert!(is_kept(), "{:?}", names(&env, "roots"));
        run(&[end]).ok();
        assert!(!is_kept(), "{end}");
        run(&["disable", "conflict-a"]);
    }

    // A run that is refused because of a change in the meantime cleans up, but keeps this GC root.
    let mut late = command(&["enable", "hello"]);
    late.env("RUNTIME_MODULE_FAULT", "client.request:before:stop");
    let late = env.start_running(late);
    let stopped = env.processes().wait_for_stop(late.pid());
    run(&["enable", "conflict-a", "--confirm", "600s"]).ok();
    kill(stopped.expect("a stopped process"), Signal::SIGCONT).expect("continued");
    late.end().ends_with(5);
    assert_eq!(env.state()["pending"]["step"], "confirming");
    assert!(is_kept(), "{:?}", names(&env, "roots"));
    run(&["rollback"]).ok();
    assert!(!is_kept());

    // After a refused change and after a rollback, the GC root is removed.
    let mut faulty = command(&["enable", "conflict-a"]);
    faulty.env("RUNTIME_MODULE_FAULT", "activator.preflight:before:eio");
    let ran = env.start_running(faulty).end();
    assert_ne!(ran.code, 0, "{}", ran.text());
    assert!(!is_kept());
    run(&["enable", "failing-activation"]).ends_with(6);
    assert!(!is_kept());
    env.processes().end();
}

/// Adds the programs to the store, as on NixOS. Returns their store path.
fn add_programs_to_store(env: &TestEnv, nix: PathBuf) -> String {
    for (folder, program) in [("bin", PROGRAM), ("libexec", FULL_PROGRAM)] {
        let folder = env.path("home/program").join(folder);
        fs::create_dir_all(&folder).expect("a folder");
        let name = Path::new(program).file_name().expect("a name");
        fs::copy(program, folder.join(name)).expect("copied");
    }
    let mut add = env.other(nix);
    add.args(["--extra-experimental-features", "nix-command"])
        .args(["store", "add", "--name", "runtime-module"])
        .arg(env.path("home/program"))
        .args(["--store", &env.store()]);
    let added = add.output().expect("nix");
    let own = String::from_utf8_lossy(&added.stdout).trim().to_string();
    assert!(Path::new(&own).is_dir(), "{added:?}");
    own
}
