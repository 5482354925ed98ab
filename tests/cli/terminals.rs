//! Progress on all kinds of terminals, including those without cursor movement and those that show only ASCII.

use std::fs;

use crate::support::{PROGRAM_IN_SHELL, TestEnv, has};

/// Runs the program in a pseudo-terminal with these variables, and returns its output.
fn typescript(env: &TestEnv, arguments: &str, variables: &[(&str, &str)]) -> String {
    env.run(&["cache", "clear"]).ok();
    let file = env.path("typescript");
    let mut script = env.other("script");
    script
        .args(["-qefc", &format!("{PROGRAM_IN_SHELL} {arguments}")])
        .arg(&file)
        .env_remove("TERM")
        .env_remove("LC_ALL")
        .env_remove("LC_CTYPE")
        .env_remove("LANG")
        .envs(variables.iter().copied());
    env.start_running(script).end().ok();
    let text = fs::read_to_string(file).expect("a typescript");
    // script(1) writes the first and the last line.
    let lines: Vec<&str> = text.lines().collect();
    lines[1..lines.len() - 1].join("\n")
}

#[test]
fn terminals_without_cursor_get_plain_lines() {
    let test = "terminals_without_cursor_get_plain_lines";
    if !has(test, "script") {
        return;
    }
    let env = TestEnv::new();
    for (name, variables) in [
        ("TERM is dumb", &[("TERM", "dumb")][..]),
        ("TERM is unset, as on a serial console", &[]),
    ] {
        for arguments in [
            "enable web --dry-run",
            "enable web --dry-run --progress bars",
        ] {
            let text = typescript(&env, arguments, variables);
            assert!(text.contains("evaluate"), "{name}: {text:?}");
            assert!(text.contains("would be active: web"), "{name}: {text:?}");
            assert!(!text.contains('\u{1b}'), "{name}: {text:?}");
        }
    }
}

#[test]
fn bars_are_ascii_without_utf8() {
    let test = "bars_are_ascii_without_utf8";
    if !has(test, "script") {
        return;
    }
    let env = TestEnv::new();
    for (name, variables) in [
        ("a VT220", &[("TERM", "vt220"), ("LANG", "C.UTF-8")][..]),
        (
            "the Linux console",
            &[("TERM", "linux"), ("LANG", "en_US.UTF-8")],
        ),
        ("no locale", &[("TERM", "xterm")]),
        (
            "LC_ALL before LANG",
            &[("TERM", "xterm"), ("LANG", "C.UTF-8"), ("LC_ALL", "C")],
        ),
    ] {
        let text = typescript(&env, "enable web --dry-run", variables);
        assert!(
            text.contains("\u{1b}["),
            "{name}: bars move the cursor: {text:?}"
        );
        assert!(text.contains("evaluate"), "{name}: {text:?}");
        assert!(text.is_ascii(), "{name}: {text:?}");
    }
    let text = typescript(
        &env,
        "enable web --dry-run",
        &[("TERM", "xterm"), ("LANG", "C.UTF-8")],
    );
    assert!(!text.is_ascii(), "a UTF-8 terminal gets spinners: {text:?}");
}
