//! `__boot`, which the boot service runs: removes the state of an earlier boot and, if configured, restores modules.

use std::fs;

use serde_json::{Value, json};

use crate::support::{TestEnv, read_json};

/// Simulates a machine that rebooted after `inline` was enabled: the base is running, but the state
/// file is older.
fn booted(options: &[(&str, Value)]) -> TestEnv {
    let env = TestEnv::new();
    let base = env.running();
    env.quiet(&["enable", "inline"]).ok();
    env.quiet(&["enable", "conflict-a"]).ok();
    env.quiet(&["disable", "conflict-a"]).ok();
    // After the boot only the base is running, with its baked options.
    let toplevel = base.join("bin/switch-to-configuration");
    let mut switch = env.other(toplevel);
    assert!(
        switch
            .arg("test")
            .output()
            .expect("the switch program")
            .status
            .success()
    );
    assert_eq!((env.running(), env.etc("inline")), (base, None));
    env.bake(options);
    let path = env.root("run/runtime-modules/state.json");
    let mut state = read_json(&path);
    state["boot"] = json!("00000000-0000-0000-0000-000000000000");
    fs::write(&path, state.to_string()).expect("written");
    env
}

/// Returns the file names in a folder below `run/runtime-modules`.
fn names(env: &TestEnv, folder: &str) -> Vec<String> {
    let folder = env.root("run/runtime-modules").join(folder);
    let entries = fs::read_dir(folder).into_iter().flatten();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<String> = entries
        .map(|entry| name(entry).to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Returns the purpose and modules of each transaction since the boot.
fn transactions(env: &TestEnv) -> Vec<(String, Value)> {
    let history = env.json(&["history"]);
    let all = history["transactions"].as_array().expect("a list");
    let one = |one: &Value| {
        let purpose = one["purpose"].as_str().unwrap_or_default().to_string();
        (purpose, one["modules"].clone())
    };
    all.iter().map(one).collect()
}

#[test]
fn boot_restores_enabled_modules() {
    let env = booted(&[("restoreAtBoot", json!(true))]);
    let base = env.running();
    let (roots, logs) = (names(&env, "roots"), names(&env, "log"));
    env.quiet(&["__boot"]).ok().golden("boot-restores");
    assert_eq!(
        env.etc("inline").as_deref(),
        Some("written where it is declared\n")
    );
    let state = env.state();
    assert!(state["pending"].is_null(), "{state:#}");
    assert_eq!(
        (&state["wanted"], &state["active"]),
        (&json!(["inline"]), &json!(["inline"]))
    );
    assert_eq!(state["base"]["toplevel"], base.display().to_string());
    assert_eq!(state["revision"], 1, "a boot starts again at revision 1");
    // Records, logs and GC roots of the earlier boot are removed.
    assert_eq!(
        transactions(&env),
        [("apply".to_string(), json!(["inline"]))]
    );
    let kept = names(&env, "roots");
    assert!(kept.len() < roots.len(), "{kept:?}, before {roots:?}");
    let now = names(&env, "log");
    assert_eq!(now.len(), 1, "{now:?}");
    assert!(!logs.contains(&now[0]), "{now:?}, before {logs:?}");
    // A second call in the same boot has nothing to do.
    let runs = env.running();
    env.quiet(&["__boot"]).ok();
    assert_eq!((transactions(&env).len(), env.running()), (1, runs));
}

#[test]
fn boot_without_restore_only_prunes() {
    let env = booted(&[("restoreAtBoot", json!(false))]);
    let base = env.running();
    assert!(!names(&env, "roots").is_empty());
    let ran = env.quiet(&["__boot"]).ok();
    assert_eq!(ran.stdout + &ran.stderr, "");
    assert_eq!((env.running(), env.etc("inline")), (base, None));
    assert_eq!(names(&env, "roots"), Vec::<String>::new());
    assert_eq!(names(&env, "log"), Vec::<String>::new());
    assert_eq!(names(&env, ""), ["holder", "lock", "log", "roots"]);
    // The requested modules are still saved: `apply` enables them.
    env.quiet(&["apply"]).ok();
    assert_eq!(env.active(), ["inline"]);
}

#[test]
fn boot_does_not_wait_for_confirmation() {
    let env = booted(&[("restoreAtBoot", json!(true)), ("confirm", json!("600s"))]);
    env.quiet(&["__boot"]).ok();
    assert_eq!(env.active(), ["inline"]);
    assert!(env.state()["pending"].is_null(), "{:#}", env.state());
    let left = env.processes().now();
    assert!(
        left.iter()
            .all(|(_, command)| !command.contains("__expire")),
        "{left:?}"
    );
}

#[test]
fn boot_without_state_changes_nothing() {
    let env = TestEnv::fixture();
    let before = env.everything();
    env.quiet(&["__boot"]).ok();
    assert_eq!(env.everything(), before);
}
