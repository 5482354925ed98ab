//! `list` and `status`: their output. They evaluate nothing if the list of modules is baked into
//! the configuration.

use std::fs;

use crate::support::{TestEnv, has};

#[test]
fn declared_modules_are_listed() {
    let env = TestEnv::new();
    env.run(&["list"]).ok().golden("list");
    env.run(&["list", "--json"]).ok().golden("list-json");
    env.run(&["enable", "web", "banner"]).ok();
    let list = env.json(&["list"]);
    let modules = list["modules"].as_array().expect("a list");
    let on: Vec<&str> = modules
        .iter()
        .filter(|one| one["active"] == true)
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert_eq!(on, ["web", "banner"]);
}

#[test]
fn first_comment_describes_a_module() {
    let env = TestEnv::fixture()
        .module("web", "/* A server\n   of pages */\n{ }\n")
        .module("users", "{ }\n# too late\n")
        .start("box");
    let list = env.json(&["list"]);
    let about = |name: &str| {
        let modules = list["modules"].as_array().expect("a list");
        modules
            .iter()
            .find(|one| one["name"] == name)
            .expect("listed")["description"]
            .clone()
    };
    assert_eq!(about("web"), "A server");
    assert_eq!(about("users"), serde_json::Value::Null);
    // A declared description takes precedence, and a module without a file can have no other.
    assert_eq!(about("hello"), "A greeting on every start");
    assert_eq!(about("inline"), "A module without a file");
    assert_eq!(about("banner"), "A banner in /etc/issue");
    // The comment is read while listing, so it is not baked.
    assert!(
        env.etc("runtime-modules/config.json")
            .is_some_and(|text| !text.contains("A server"))
    );
}

#[test]
fn list_and_status_start_no_process() {
    if !has("list_and_status_start_no_process", "strace") {
        return;
    }
    let env = TestEnv::new();
    env.run(&["enable", "inline"]).ok();
    for arguments in [
        &["list"][..],
        &["status"],
        &["status", "inline"],
        &["list", "--json"],
    ] {
        let trace = env.path("trace");
        let mut command = env.other("strace");
        command
            .args(["-f", "-qq", "-e", "trace=execve", "-o"])
            .arg(&trace)
            .arg(crate::support::PROGRAM)
            .args(arguments);
        env.start_running(command).end().ok();
        let trace = fs::read_to_string(&trace).expect("a trace");
        assert_eq!(
            trace.matches("execve(").count(),
            1,
            "{arguments:?} starts a process:\n{trace}"
        );
    }
}

#[test]
fn list_and_status_work_without_a_store() {
    let env = TestEnv::new();
    env.run(&["enable", "inline"]).ok();
    for command in ["list", "status"] {
        env.run(&[command, "--store", "local?root=/proc/nowhere"])
            .ok();
    }
}

#[test]
fn list_evaluates_a_host_without_baked_list() {
    let env = TestEnv::fixture().start("bare");
    env.run(&["list"]).ok().golden("list-bare");
    let flake = env.flake();
    env.run(&["list", "--flake", &flake, "--host", "box-list"])
        .ok()
        .golden("list-of-another-host");
    env.run(&["status"]).ok().golden("status-bare");
}

#[test]
fn status_works_on_a_fresh_machine() {
    let env = TestEnv::fixture();
    env.run(&["status"]).ok().golden("status-empty-root");
    env.run(&["status", "--json"])
        .ok()
        .golden("status-empty-root-json");
}

#[test]
fn status_json_is_complete() {
    let env = TestEnv::new();
    env.run(&["enable", "inline"]).ok();
    env.run(&["status", "--json"]).ok().golden("status-json");
    env.run(&["status", "hello", "inline", "--json"])
        .ends_with(10)
        .golden("status-named-json");
}

#[test]
fn a_thousand_modules_work() {
    let env = TestEnv::fixture().start("wide");
    let list = env.run(&["list"]).ok();
    let declared = |line: &&str| line.starts_with("module-");
    assert_eq!(list.stdout.lines().filter(declared).count(), 1000);
    assert!(
        list.stdout
            .contains("module-0500  off  Number 500 of a thousand\n")
    );
    env.run(&["enable", "module-0500", "module-0007"]).ok();
    assert_eq!(env.etc("wide/module-0500").as_deref(), Some("500\n"));
    assert_eq!(env.etc("wide/module-0007").as_deref(), Some("7\n"));
    assert_eq!(env.etc("wide/module-0001"), None);
    env.run(&["enable", "module-050"])
        .ends_with(2)
        .golden("unknown-module-of-a-thousand");
}
