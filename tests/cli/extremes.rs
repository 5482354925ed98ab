//! Extreme input and load: names that are not UTF-8, closed streams, ten thousand modules, a module
//! of ten megabytes, an evaluation that runs out of memory, and many concurrent runs.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use crate::support::{RunningProgram, TestEnv, crowd};

/// Returns a name that is not UTF-8.
fn odd(text: &[u8]) -> &OsStr {
    OsStr::from_bytes(text)
}

#[test]
fn names_that_are_not_utf8_work() {
    let env = TestEnv::new();
    let run = |arguments: &[&OsStr]| env.start_running(env.command(arguments)).end();
    run(&[OsStr::new("enable"), odd(b"he\xffllo")])
        .ends_with(2)
        .golden("odd-argument");
    let document = run(&[OsStr::new("enable"), odd(b"he\xffllo"), OsStr::new("-j")])
        .ends_with(2)
        .json();
    assert_eq!(document["error"]["kind"], "usage", "{document}");
    // A file in the flake, and a folder around the flake, whose names are not valid UTF-8.
    let place = env.path("").join(odd(b"pl\xffce"));
    crate::support::copy(&env.path("source"), &place);
    fs::write(
        place.join("tests/minios/runtime").join(odd(b"\xfe.nix")),
        "{ }",
    )
    .expect("a file");
    let mut command = env.command(["enable", "inline", "--flake", "./?dir=tests/minios"]);
    command.current_dir(&place);
    env.start_running(command).end().ok();
    assert_eq!(env.active(), ["inline"]);
    // The pinned copy of that flake can be extended.
    env.run(&["enable", "pair"]).ok();
    assert_eq!(env.active(), ["inline", "pair"]);
}

#[test]
fn escape_sequences_in_module_names_are_masked() {
    const NAME: &str = r#"${builtins.fromJSON ''"a\u001b[2Jb\u0007"''}"#;
    // The option `services.runtimeModules.modules` rejects this name.
    let env = TestEnv::fixture().edit("hosts/box.nix", |text| {
        text.replace("users = ../", &format!("{NAME} = ../"))
    });
    let flake = env.flake();
    let apply = [
        "apply",
        "--flake",
        &flake,
        "--host",
        "box",
        "--progress",
        "off",
    ];
    env.run(&apply).ends_with(3).golden("odd-module-name");
    // An output of the flake is not checked, and a description may contain any text.
    let module = format!(
        r#"{NAME} = {{ module = {{ }}; description = builtins.fromJSON ''"\u001b]0;title\u0007 of a module"''; }};"#
    );
    let env = TestEnv::fixture()
        .edit("flake.nix", |text| {
            text.replace(
                "clock = ./output",
                &format!("{module}\n        clock = ./output"),
            )
        })
        .start("bare");
    let name = "a\u{1b}[2Jb\u{7}";
    for arguments in [
        &["list"][..],
        &["status"],
        &["enable", name],
        &["status"],
        &["history"],
    ] {
        let ran = env.run(arguments).ok();
        let odd = |c: char| c.is_control() && c != '\n' && c != '\t';
        assert!(!ran.stdout.contains(odd), "{arguments:?}: {:?}", ran.stdout);
        assert!(!ran.stderr.contains(odd), "{arguments:?}: {:?}", ran.stderr);
    }
    assert_eq!(env.active(), [name]);
    let list = env.run(&["list"]).ok();
    assert!(list.stdout.contains("a␛[2Jb\u{fffd}"), "{}", list.stdout);
    env.run(&["disable", name]).ok();
}

#[test]
fn change_succeeds_with_closed_or_full_streams() {
    let env = TestEnv::new();
    let shell = |line: &str| {
        let mut command = env.other("sh");
        command.args(["-c", line]).env("P", crate::support::PROGRAM);
        env.start_running(command).end()
    };
    // The change is made even if the output cannot be written.
    shell(r#""$P" enable inline >&- 2>&- <&-"#).ok();
    assert_eq!(env.active(), ["inline"]);
    shell(r#""$P" disable inline 2>&-"#).ok();
    shell(r#""$P" enable inline 2>/dev/full >/dev/null"#).ok();
    assert_eq!(env.active(), ["inline"]);
    shell(r#""$P" list | head -n 1 >/dev/null; "$P" list >&-"#).ok();
    shell(r#""$P" enable helo 2>/dev/full"#).ends_with(2);
    shell(r#""$P" list >/dev/full"#)
        .ends_with(1)
        .golden("full-stdout");
    // The change took effect although its result could not be printed.
    shell(r#""$P" disable inline >/dev/full"#)
        .ends_with(1)
        .golden("full-stdout-after-a-change");
    assert_eq!(env.active(), Vec::<String>::new());
}

#[test]
fn ten_thousand_modules_work() {
    let env = TestEnv::fixture()
        .edit("hosts/wide.nix", |text| {
            text.replace("range 1 1000", "range 1 10000")
                .replace("Number 4", "Number 5")
        })
        .start("wide");
    let list = env.run(&["list"]).ok();
    let declared = list
        .stdout
        .lines()
        .filter(|line| line.starts_with("module-"));
    assert_eq!(declared.count(), 10_000);
    env.run(&["enable", "module-05000"]).ok();
    assert_eq!(env.active(), ["module-05000"]);
    env.run(&["enable", "modul-05000"]).ends_with(2);
}

#[test]
fn module_of_ten_megabytes_works() {
    let mut text = String::from("{ environment.etc.large.text = \"here\\n\";\n");
    while text.len() < 10 << 20 {
        text.push_str("  # A line of a comment that goes on and on, as they do in files that a program wrote.\n");
    }
    text.push_str("}\n");
    let env = TestEnv::fixture().module("web", &text).start("box");
    env.run(&["enable", "web"]).ok();
    assert_eq!(env.etc("large").as_deref(), Some("here\n"));
    let list = env.run(&["list"]).ok();
    assert!(
        list.time < Duration::from_secs(2) * crowd(),
        "{:?}",
        list.time
    );
}

#[test]
fn evaluation_without_memory_fails_cleanly() {
    let env = TestEnv::fixture()
        .module(
            "web",
            "{ environment.etc.x.text = builtins.toJSON (builtins.genList (x: builtins.genList (y: x * y) 3000) 30000); }",
        )
        .start("box");
    let before = env.everything();
    // libgc fails at its heap limit as it does when the kernel refuses memory.
    let mut command = env.command(["enable", "web", "--progress", "off"]);
    command
        .env("GC_INITIAL_HEAP_SIZE", "16777216")
        .env("GC_MAXIMUM_HEAP_SIZE", "150000000");
    env.start_running(command)
        .end()
        .ends_with(3)
        .golden("no-memory");
    before.is_still(&env.everything());
    env.run(&["enable", "inline"]).ok();
}

#[test]
fn concurrent_runs_do_not_conflict() {
    let env = TestEnv::new();
    let names = ["hello", "inline", "pair", "folder"];
    let runs: Vec<RunningProgram> = names
        .iter()
        .map(|name| env.start_running(env.command(["enable", name, "--progress", "off"])))
        .collect();
    let mut done = Vec::new();
    for (name, run) in names.iter().zip(runs) {
        let ran = run.end();
        match ran.code {
            0 => done.push(*name),
            5 => assert!(ran.stderr.contains("hint: "), "{}", ran.text()),
            _ => panic!("{}", ran.text()),
        }
    }
    assert!(!done.is_empty(), "no run succeeded");
    // The modules of the successful runs are enabled, and no others.
    let mut active = env.active();
    active.sort();
    done.sort_unstable();
    assert_eq!(active, done);
    // With --wait, the runs take the lock one after another. A run is refused if the state changed in the meantime.
    env.run(&["reset"]).ok();
    let runs: Vec<RunningProgram> = names
        .iter()
        .map(|name| env.start_running(env.command(["enable", name, "--wait", "60s"])))
        .collect();
    for run in runs {
        let ran = run.end();
        assert!(ran.code == 0 || ran.code == 5, "{}", ran.text());
    }
}
