//! Checks that the documents of `--json`, the events and the lines of `check --format jsonl` match
//! docs/schemas.

use crate::cli::files::plain;
use crate::support::{TestEnv, documented};

#[test]
fn every_json_document_matches_its_schema() {
    let env = TestEnv::fixture();
    let flake = env.flake();
    let ends = |arguments: &[&str], code: i32| {
        env.run(&[arguments, &["--json"]].concat())
            .ends_with(code)
            .json();
    };
    ends(&["status"], 0);
    ends(&["list"], 5);
    ends(&["history"], 0);
    ends(&["apply", "--flake", &flake, "--host", "box"], 0);
    ends(&["enable", "inline", "--dry-run"], 0);
    ends(&["enable", "inline", "--confirm", "60s"], 0);
    ends(&["status"], 0);
    ends(&["enable", "pair"], 5);
    ends(&["confirm"], 0);
    ends(&["enable", "pair", "--confirm", "60s"], 0);
    ends(&["rollback"], 0);
    ends(&["disable", "inline"], 0);
    ends(&["rollback", "1"], 0);
    ends(&["rebuild", "--flake", &flake, "--dry-run"], 0);
    ends(&["enable", "inhibitor", "--dry-run"], 0);
    ends(&["enable", "failing-unit"], 6);
    ends(&["enable", "failing-unit", "--on-failed-units", "keep"], 7);
    ends(&["enable", "failing-activation"], 6);
    ends(&["enable", "kernel", "warning", "--dry-run"], 0);
    ends(&["reset"], 0);
    ends(&["recover"], 5);
    ends(&["history"], 0);
    ends(&["list"], 0);
    ends(&["status", "inline"], 10);
    ends(&["prefetch", "hello"], 0);
    ends(&["cache", "list"], 0);
    ends(&["cache", "stats"], 0);
    ends(&["cache", "clear"], 0);
    ends(&["check", "hello", "type-error"], 3);
    ends(&["enable"], 2);
    ends(&["nonsense"], 2);
}

#[test]
fn every_json_line_and_event_matches_its_schema() {
    let env = TestEnv::new();
    let lines = env.run(&["check", "hello", "--format", "jsonl"]).ok();
    for line in lines.stdout.lines() {
        documented(
            &serde_json::from_str(line).expect("JSON"),
            "check --format jsonl",
        );
    }
    assert!(lines.stdout.lines().count() > 1);
    let ran = env
        .run(&["enable", "web", "--progress", "events", "-L", "--no-cache"])
        .ok();
    let events = ran.events();
    for name in [
        "phase-begin",
        "phase-end",
        "missing",
        "build",
        "switch-line",
    ] {
        assert!(
            events.iter().any(|event| event["event"] == name),
            "no event {name} among {events:?}"
        );
    }
    env.run(&["check", "hello", "--progress", "events"])
        .ok()
        .events();
}

/// Returns the commands of docs/usage.md with the exit codes in their comments.
fn usage() -> Vec<(Vec<String>, i32)> {
    let page = include_str!("../../docs/usage.md");
    let lines = page
        .lines()
        .filter_map(|line| line.strip_prefix("$ runtime-module "));
    lines
        .map(|line| {
            let (command, comment) = line.split_once('#').unwrap_or((line, ""));
            let code = comment
                .trim()
                .strip_prefix("exit code ")
                .and_then(|rest| rest.split(':').next()?.parse().ok());
            let words = command.split_whitespace().map(String::from).collect();
            (words, code.unwrap_or(0))
        })
        .collect()
}

#[test]
fn usage_page_commands_exit_as_documented() {
    // This machine has both a flake and a plain configuration, as during a migration from channels.
    let env = plain().start("box");
    let commands = usage();
    assert!(commands.len() > 25, "{commands:?}");
    for (words, code) in commands {
        let words: Vec<String> = words
            .into_iter()
            .map(|word| match word.strip_prefix("/etc/nixos") {
                Some("") => env.flake(),
                Some(file) => env.fixture_path(&file[1..]).display().to_string(),
                None => word,
            })
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        env.run(&words).ends_with(code);
    }
    assert_eq!(env.active(), ["settings"]);
}
