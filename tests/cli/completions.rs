//! What shells complete, asked as the shells ask it; and the manual pages.

use std::process::Command;

use crate::support::TestEnv;

/// A shell asks at every key that is pressed; seconds.
const AT_ONCE: f64 = 0.050;

/// How a command line goes on, for the protocol of `shell`.
fn completed(env: &TestEnv, shell: &str, words: &[&str]) -> String {
    let asked = [&["--"], words].concat();
    let mut command = env.command(asked);
    command
        .env("RUNTIME_MODULE_COMPLETE", shell)
        .env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string())
        .env("_CLAP_IFS", "\n");
    let done = command.output().expect("the program ran");
    assert!(done.status.success(), "{shell}: {done:?}");
    String::from_utf8(done.stdout).expect("text")
}

#[test]
fn names_of_modules_are_completed() {
    let env = TestEnv::new();
    for (shell, line) in [("bash", "web"), ("zsh", "web:"), ("fish", "web\t")] {
        for command in ["enable", "disable", "status"] {
            let all = completed(&env, shell, &["runtime-module", command, "we"]);
            assert!(
                all.lines().any(|one| one.starts_with(line)),
                "{shell} {command}: {all}"
            );
            assert!(!all.contains("hello"), "{shell} {command}: {all}");
        }
    }
    let all = completed(&env, "fish", &["runtime-module", "enable", ""]);
    assert!(all.contains("hello\tA greeting on every start\n"), "{all}");
    let all = completed(&env, "fish", &["runtime-module", "enable", "hello", "ban"]);
    assert!(all.starts_with("banner\tA banner in /etc/issue"), "{all}");
}

#[test]
fn commands_are_completed_and_hidden_ones_are_not() {
    let env = TestEnv::new();
    let all = completed(&env, "bash", &["runtime-module", ""]);
    for command in ["enable", "disable", "reset", "list", "status"] {
        assert!(all.lines().any(|one| one == command), "{command}: {all}");
    }
    assert!(!all.contains("__") && !all.contains("--as-user"), "{all}");
}

#[test]
fn nothing_is_completed_where_nothing_can_be_read() {
    let env = TestEnv::new();
    let config = env.root("etc/runtime-modules/config.json");
    for text in ["{", r#"{"schema":7}"#] {
        // What is baked may not be written to, but by root.
        std::fs::remove_file(&config).expect("baked");
        std::fs::write(&config, text).expect("damaged");
        let all = completed(&env, "bash", &["runtime-module", "enable", "w"]);
        assert_eq!(all, "");
    }
}

/// By the time that it has a processor for: other tests run beside this one.
#[test]
fn completing_takes_no_time() {
    let env = TestEnv::new();
    let mut bash = env.other("bash");
    bash.env("RUNTIME_MODULE_COMPLETE", "fish")
        .arg("-c")
        .arg("TIMEFORMAT='%U %S'; for n in 1 2 3 4 5; do time \"$0\" -- runtime-module enable ''; done")
        .arg(env.command([""; 0]).get_program());
    let done = bash.output().expect("bash ran");
    let times = String::from_utf8_lossy(&done.stderr).into_owned();
    let fastest = times
        .lines()
        .map(|line| line.split(' ').flat_map(str::parse::<f64>).sum::<f64>())
        .fold(f64::MAX, f64::min);
    assert!(fastest < AT_ONCE, "{times}");
}

/// The script as bash runs it, with the program in its path.
#[test]
fn bash_completes_by_the_script() {
    let env = TestEnv::new();
    let program = env.command([""; 0]).get_program().to_owned();
    let folder = std::path::Path::new(&program)
        .parent()
        .expect("a folder")
        .to_path_buf();
    let mut bash = env.other("bash");
    bash.env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .env("RUNTIME_MODULE_ROOT", env.root(""))
        .args(["--norc", "-c"])
        .arg(
            "source <(runtime-module __completions bash) || exit\n\
             COMP_WORDS=(runtime-module enable ban) COMP_CWORD=2 COMP_TYPE=9\n\
             _clap_complete_runtime_module runtime-module ban enable\n\
             printf '%s\\n' \"${COMPREPLY[@]}\"",
        );
    let done = bash.output().expect("bash ran");
    assert_eq!(
        String::from_utf8_lossy(&done.stdout),
        "banner\n",
        "{done:?}"
    );
}

#[test]
fn scripts_are_what_their_shells_take() {
    let env = TestEnv::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = env.run(&["__completions", shell]).ok().stdout;
        assert!(script.contains("RUNTIME_MODULE_COMPLETE"), "{script}");
        let Ok(mut parsed) = Command::new(shell).args(["-n", "-c", &script]).spawn() else {
            crate::support::skip(
                "scripts_are_what_their_shells_take",
                &format!("there is no {shell} to parse its completions"),
            );
            continue;
        };
        assert!(parsed.wait().expect("it ends").success(), "{shell}");
    }
    let script = env.run(&["__completions", "nushell"]).ok().stdout;
    assert!(script.contains("...names: string@\"nu-complete runtime-module names\""));
    assert!(
        !script.contains("__") && !script.contains("as-user"),
        "{script}"
    );
}

#[test]
fn every_command_has_a_manual_page() {
    let env = TestEnv::new();
    let pages = env.run(&["__man"]).ok().stdout;
    let names: Vec<&str> = pages.lines().collect();
    assert!(names.contains(&"runtime-module") && names.contains(&"runtime-module-enable"));
    assert!(!pages.contains("__"), "{pages}");
    for name in names {
        let page = env.run(&["__man", name]).ok().stdout;
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
        assert!(!page.contains("as\\-user"), "{page}");
    }
    env.run(&["__man", "runtime-module-dance"]).ends_with(2);
}
