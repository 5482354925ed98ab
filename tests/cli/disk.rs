//! The files on disk after a change, and their permissions.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{PROGRAM, TestEnv, read_json};

fn mode(path: &Path) -> u32 {
    fs::metadata(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .permissions()
        .mode()
        & 0o7777
}

#[test]
fn state_file_describes_the_change() {
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
fn module_files_and_units_appear_and_disappear() {
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
fn state_is_public_and_logs_are_private() {
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
fn modes_of_files_do_not_depend_on_the_umask() {
    let env = TestEnv::fixture();
    // With the umask 0777, only root can use the new files.
    let strictest = if unix::unistd::geteuid().is_root() {
        "0777"
    } else {
        "0077"
    };
    for (umask, arguments) in [
        (
            strictest,
            &["apply", "--flake", &env.flake(), "--host", "box"][..],
        ),
        ("0077", &["enable", "inline"]),
        ("0000", &["reset"]),
    ] {
        let mut command = env.other("sh");
        let script = format!("umask {umask}; exec \"$@\"");
        command.args(["-c", &script, "sh", PROGRAM]).args(arguments);
        env.start_running(command).end().ok();
        let run = env.root("run/runtime-modules");
        let found = ["state.json", "history", "lock", "holder"].map(|name| mode(&run.join(name)));
        assert_eq!(found, [0o644, 0o644, 0o600, 0o644], "umask {umask}");
        assert_eq!(mode(&run), 0o755, "umask {umask}");
        let wanted = env.root("var/lib/runtime-modules/wanted.json");
        assert_eq!(mode(&wanted), 0o644, "umask {umask}");
    }
}

#[test]
fn history_has_a_record_for_each_transaction() {
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
    let found: Vec<_> = records
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
        found,
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
            "the phases take {parts} ms, more than the total of {total} ms: {record}"
        );
    }
}

#[test]
fn configuration_bakes_its_source() {
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
fn nothing_is_written_outside_the_root() {
    let env = TestEnv::new();
    env.run(&["enable", "inline"]).ok();
    // HOME belongs to this test. Outside the root, only the store and the caches may be written.
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
