//! Shell completions, requested with the protocols of the shells, and the manual pages.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::support::{TestEnv, has};

/// Returns the completions of a command line in the protocol of `shell`.
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
fn module_names_are_completed() {
    let env = TestEnv::new();
    for (shell, line) in [("bash", "web"), ("zsh", "web:"), ("fish", "web\t")] {
        for command in ["enable", "prefetch", "status"] {
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
fn option_paths_are_completed_for_set_and_unset() {
    let env = TestEnv::new();
    let set = |words: &[&str]| {
        let words = [&["runtime-module", "set"], words].concat();
        completed(&env, "bash", &words)
    };
    assert_eq!(set(&["netw"]), "", "nothing is known before an evaluation");
    env.run(&["set", "environment.etc.\"a.b\".text", "\"x\"", "--dry-run"])
        .ok();
    assert_eq!(set(&["networking.hostN"]), "networking.hostName");
    // The value is not an option, but the word after it is.
    assert_eq!(set(&["networking.hostName", "netw"]), "");
    assert_eq!(
        set(&["--persist", "networking.hostName", "1", "networking.hostN"]),
        "networking.hostName"
    );
    // Options that cannot be set are not offered.
    assert_eq!(set(&["system.build.topl"]), "");
    // The options of submodules are also offered, with the names of the submodules in their paths.
    assert_eq!(
        set(&["environment.etc.\"a.b\".t"]),
        "environment.etc.\"a.b\".target\nenvironment.etc.\"a.b\".text"
    );
    assert_eq!(
        set(&["systemd.services.heartbeat.descr"]),
        "systemd.services.heartbeat.description"
    );
    // An overridden path is offered even if it is inside a value that has no options.
    assert_eq!(set(&["systemd.services.heartbeat.environment.COL"]), "");
    env.run(&[
        "set",
        "systemd.services.heartbeat.environment.COLOUR",
        "\"red\"",
    ])
    .ok();
    assert_eq!(
        set(&["systemd.services.heartbeat.environment.COL"]),
        "systemd.services.heartbeat.environment.COLOUR"
    );
    let unset = ["runtime-module", "unset", "syst"];
    assert_eq!(
        completed(&env, "bash", &unset),
        "systemd.services.heartbeat.environment.COLOUR"
    );
}

#[test]
fn hidden_commands_are_not_completed() {
    let env = TestEnv::new();
    let all = completed(&env, "bash", &["runtime-module", ""]);
    for command in ["enable", "disable", "reset", "list", "status"] {
        assert!(all.lines().any(|one| one == command), "{command}: {all}");
    }
    assert!(!all.contains("__") && !all.contains("--as-user"), "{all}");
}

#[test]
fn unreadable_configuration_completes_nothing() {
    let env = TestEnv::new();
    let config = env.root("etc/runtime-modules/config.json");
    for text in ["{", r#"{"schema":7}"#] {
        // Only root can write to the baked file, so replace it.
        std::fs::remove_file(&config).expect("baked");
        std::fs::write(&config, text).expect("damaged");
        let all = completed(&env, "bash", &["runtime-module", "enable", "w"]);
        assert_eq!(all, "");
    }
}

/// Compares the CPU time with that of `--version`, which only loads the program: other tests that
/// run at the same time slow both down.
#[test]
fn completion_is_fast() {
    let env = TestEnv::new();
    let mut bash = env.other("bash");
    bash.arg("-c")
        .arg(
            "TIMEFORMAT='%U %S'
            for n in 1 2 3 4 5 6 7 8 9 10; do
                time RUNTIME_MODULE_COMPLETE=fish \"$0\" -- runtime-module enable '' >&2
                echo -- >&2
                time \"$0\" --version >&2
                echo == >&2
            done",
        )
        .arg(env.command([""; 0]).get_program());
    let done = bash.output().expect("bash ran");
    let text = String::from_utf8_lossy(&done.stderr).into_owned();
    let fastest = |end: &str| {
        let lines: Vec<&str> = text.lines().collect();
        let times = lines.windows(2).filter(|pair| pair[1] == end);
        times
            .map(|pair| pair[0].split(' ').flat_map(str::parse::<f64>).sum::<f64>())
            .fold(f64::MAX, f64::min)
    };
    let (completion, version) = (fastest("--"), fastest("=="));
    assert!(
        completion < 2.0 * version + 0.005,
        "completion takes {completion} s, --version {version} s"
    );
}

/// An interactive shell on a pseudo-terminal.
struct Interactive {
    child: Child,
    keys: ChildStdin,
    screen: ChildStdout,
}

impl Interactive {
    /// Starts `shell` and types `setup`. If the shell or `script` is not installed, reports a skip
    /// and returns nothing.
    fn start(test: &str, env: &TestEnv, shell: &str, setup: &str) -> Option<Self> {
        let program = shell.split(' ').next().unwrap_or_default();
        if !has(test, program) || !has(test, "script") {
            return None;
        }
        let mut script = env.other("script");
        script
            .args(["-qefc", shell, "/dev/null"])
            .env("PATH", path(env))
            .env("TERM", "xterm")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = script.spawn().expect("script started");
        let keys = child.stdin.take().expect("a pipe");
        let screen = child.stdout.take().expect("a pipe");
        let mut shell = Self {
            child,
            keys,
            screen,
        };
        // The terminal echoes typed text, so the command must not contain the text to wait for.
        shell.press(&format!("{setup}; echo REA''DY\n"));
        shell.until("READY");
        Some(shell)
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("typed");
        self.keys.flush().expect("typed");
    }

    fn until(&mut self, text: &str) -> String {
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains(text) {
            let mut some = [0; 4096];
            let count = self.screen.read(&mut some).expect("read");
            assert!(
                count > 0,
                "never {text:?}: {}",
                String::from_utf8_lossy(&seen)
            );
            seen.extend(&some[..count]);
        }
        String::from_utf8_lossy(&seen).into_owned()
    }

    /// Types `line` and Tab, and returns the completed line.
    fn completed(&mut self, line: &str) -> String {
        self.press(&format!("{line}\t\u{18}"));
        let seen = self.until(">>");
        let shown = seen
            .rsplit("<<")
            .next()
            .and_then(|rest| rest.split(">>").next());
        shown.expect("a line").to_string()
    }
}

impl Drop for Interactive {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a `PATH` that contains the program.
fn path(env: &TestEnv) -> String {
    let program = env.command([""; 0]).get_program().to_owned();
    let folder = std::path::Path::new(&program).parent().expect("a folder");
    format!("{}:/usr/bin:/bin", folder.display())
}

/// Starts a machine with something to complete: `hello` is enabled, and `inline` was enabled
/// before.
fn used() -> TestEnv {
    let env = TestEnv::new();
    env.run(&["enable", "hello", "inline"]).ok();
    env.run(&["disable", "inline"]).ok();
    std::fs::create_dir_all(env.path("folder of mine/below")).expect("a folder");
    std::fs::write(env.path("results.json"), "").expect("a file");
    std::fs::write(env.path("module.nix"), "").expect("a file");
    env
}

/// Lines and their completions, which are the same in all shells. A line without a match stays
/// unchanged.
const LINES: &[(&str, &str)] = &[
    ("ena", "enable "),
    ("enable --dr", "enable --dry-run "),
    (
        "enable --dry-run --allow-i",
        "enable --dry-run --allow-ifd ",
    ),
    // `enable` offers disabled modules, and `disable` offers enabled ones.
    ("enable ban", "enable banner "),
    ("enable hello ban", "enable hello banner "),
    ("enable hell", "enable hell"),
    ("disable hell", "disable hello "),
    ("disable ban", "disable ban"),
    ("disable inl", "disable inl"),
    ("status hell", "status hello "),
    ("prefetch ban", "prefetch banner "),
    ("enable web --prefetch ban", "enable web --prefetch banner "),
    ("check ban", "check banner "),
    ("bench eval ban", "bench eval banner "),
    ("bench toggle hell", "bench toggle hello "),
    (
        "bench options --with hello,ban",
        "bench options --with hello,banner ",
    ),
    // Fixed choices.
    ("list --progress ev", "list --progress events "),
    ("list --progress=ev", "list --progress=events "),
    ("--elevate run", "--elevate run0 "),
    ("apply --on-failed-units k", "apply --on-failed-units keep "),
    (
        "apply --allow wrong-host,in",
        "apply --allow wrong-host,inhibitors ",
    ),
    (
        "apply --allow=wrong-host,in",
        "apply --allow=wrong-host,inhibitors ",
    ),
    ("check --format ju", "check --format junit "),
    ("check --combinations p", "check --combinations pairs "),
    ("cache cl", "cache clear "),
    ("bench ove", "bench overrides "),
    (
        "bench options --preset gra",
        "bench options --preset grafana ",
    ),
    ("--store dae", "--store daemon "),
    // Names and numbers from this machine.
    ("--host b", "--host box "),
    ("--host=b", "--host=box "),
    ("rollback 2", "rollback 2 "),
    ("apply --specialisation", "apply --specialisation "),
    // Files and folders.
    ("enable --module ./mod", "enable --module ./module.nix "),
    ("enable --module=./mod", "enable --module=./module.nix "),
    ("apply --flake ./sou", "apply --flake ./source/"),
    (
        "apply --override-input nixpkgs ./sou",
        "apply --override-input nixpkgs ./source/",
    ),
    (
        "check --baseline ./resu",
        "check --baseline ./results.json ",
    ),
    (
        "bench eval --export-json ./resu",
        "bench eval --export-json ./results.json ",
    ),
    ("bench diff ./resu", "bench diff ./results.json "),
    ("bench compare ./sou", "bench compare ./source/"),
];

#[test]
fn bash_completes_every_line() {
    let test = "bash_completes_every_line";
    let env = used();
    let setup = "PS1=; bind 'set enable-bracketed-paste off'; bind 'set bell-style none'; \
        shown() { printf '<''<%s>''>' \"$READLINE_LINE\"; READLINE_LINE=; READLINE_POINT=0; }; \
        bind -x '\"\\C-x\":shown'; source <(runtime-module __completions bash)";
    let Some(mut bash) = Interactive::start(test, &env, "bash --norc --noprofile -i", setup) else {
        return;
    };
    complete_all(&mut bash);
    // The words before the completed one are kept, even if bash splits them at `=`.
    assert_eq!(
        bash.completed("runtime-module   --host=b"),
        "runtime-module   --host=box "
    );
    bash.press("complete -p runtime-module; echo DO''NE\n");
    assert!(
        bash.until("DONE")
            .contains("-F _runtime_module runtime-module")
    );
}

#[test]
fn zsh_completes_every_line() {
    let test = "zsh_completes_every_line";
    let env = used();
    let setup = "PS1=; PROMPT_EOL_MARK=; unset zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; \
        source <(runtime-module __completions zsh); shown() { print -rn -- \"<\"\"<$BUFFER>\"\">\"; BUFFER= }; \
        zle -N shown; bindkey '^X' shown; bindkey '^I' complete-word; setopt no_beep; LISTMAX=0";
    if let Some(mut zsh) = Interactive::start(test, &env, "zsh -f -i", setup) {
        complete_all(&mut zsh);
    }
}

fn complete_all(shell: &mut Interactive) {
    for (line, whole) in LINES {
        assert_eq!(
            shell.completed(&format!("runtime-module {line}")),
            format!("runtime-module {whole}"),
            "{line}"
        );
    }
}

#[test]
fn fish_completes_every_line() {
    let test = "fish_completes_every_line";
    if !has(test, "fish") {
        return;
    }
    let env = used();
    let lines = LINES
        .iter()
        .map(|(line, _)| format!("'runtime-module {line}' "));
    let script = format!(
        "runtime-module __completions fish | source; for line in {}; echo \"== $line\"; complete -C $line; end",
        lines.collect::<String>()
    );
    let mut fish = env.other("fish");
    fish.env("PATH", path(&env))
        .args(["--no-config", "-c", &script]);
    let done = fish.output().expect("fish ran");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let mut answers = text.split("== runtime-module ").skip(1);
    for (line, whole) in LINES {
        let mut answer = answers.next().expect("an answer").lines();
        assert_eq!(answer.next(), Some(*line));
        let values: Vec<&str> = answer.filter_map(|line| line.split('\t').next()).collect();
        let word = whole.trim_end().rsplit(' ').next().expect("a word");
        let expected = if line == whole { vec![] } else { vec![word] };
        assert_eq!(values, expected, "{line}: {text}");
    }
}

#[test]
fn enable_offers_disabled_and_disable_enabled() {
    let env = used();
    let names = |words: &[&str]| -> Vec<String> {
        let all = completed(&env, "fish", &[&["runtime-module"], words].concat());
        let names = all.lines().filter(|line| !line.starts_with('-'));
        names
            .map(|line| line.split('\t').next().unwrap_or_default().to_string())
            .collect()
    };
    assert_eq!(names(&["disable", ""]), ["hello"]);
    let off = names(&["enable", ""]);
    assert!(off.contains(&"inline".into()) && !off.contains(&"hello".into()));
    assert!(names(&["status", ""]).len() == off.len() + 1);
    // `rollback` offers past states with their purposes, latest first, without the current one.
    let past = completed(&env, "fish", &["runtime-module", "rollback", ""]);
    let past: Vec<&str> = past.lines().filter(|line| !line.starts_with('-')).collect();
    assert_eq!(past, ["2\tenable hello, inline", "1\tapply"]);
    // An external switch disables all modules, but they are still requested.
    let state = env.state();
    env.switch_by_hand(std::path::Path::new(
        state["base"]["toplevel"].as_str().expect("a base"),
    ));
    assert_eq!(names(&["disable", ""]), ["hello"]);
    assert!(names(&["enable", ""]).contains(&"hello".into()));
}

#[test]
fn inputs_and_specialisations_are_completed() {
    let env = TestEnv::new();
    let source = env.path("a source");
    std::fs::create_dir_all(source.join("host")).expect("a folder");
    let lock = r#"{"nodes":{"root":{"inputs":{"nixpkgs":"nixpkgs","home\u0007":["nixpkgs"]}}},"root":"root","version":7}"#;
    std::fs::write(source.join("host/flake.lock"), lock).expect("a lock");
    let state = env.root("run/runtime-modules/state.json");
    let mut changed = env.state();
    changed["pin"]["source"] = source.display().to_string().into();
    changed["pin"]["locked"] = "path:/a/source?dir=host&narHash=sha256-a".into();
    std::fs::write(&state, changed.to_string()).expect("a state");
    let asked = ["runtime-module", "apply", "--override-input", ""];
    assert_eq!(completed(&env, "fish", &asked), "home\u{fffd}\nnixpkgs\n");
    let asked = ["runtime-module", "apply", "--override-input", "nix"];
    assert_eq!(completed(&env, "fish", &asked), "nixpkgs\n");
    // Specialisations of the base are offered even if the running system has none.
    for name in ["quiet", "loud"] {
        std::fs::create_dir_all(env.path("base/specialisation").join(name)).expect("a folder");
    }
    changed["base"]["toplevel"] = env.path("base").display().to_string().into();
    std::fs::write(&state, changed.to_string()).expect("a state");
    let asked = ["runtime-module", "apply", "--specialisation", ""];
    assert_eq!(completed(&env, "fish", &asked), "loud\nquiet\n");
}

/// Every option in the `--help` of each command is completed.
#[test]
fn every_option_is_completed() {
    let env = TestEnv::new();
    let mut count = 0;
    let nested = ["eval", "toggle", "options", "overrides", "compare", "diff"];
    let commands = env.run(&["__man"]).ok().stdout;
    let commands = commands
        .lines()
        .filter_map(|page| page.strip_prefix("runtime-module-"))
        .map(|name| vec![name])
        .chain(nested.map(|name| vec!["bench", name]))
        .chain([vec![]]);
    for words in commands {
        let help = env.run(&[&words[..], &["--help"]].concat()).ok().stdout;
        let all = completed(
            &env,
            "bash",
            &[&["runtime-module"], &words[..], &["--"]].concat(),
        );
        let offered: Vec<&str> = all.lines().collect();
        let options = help.lines().filter_map(|line| {
            let line = line.trim_start();
            let long = line.strip_prefix('-').and_then(|_| line.find("--"))?;
            line[long..].split([' ', '=', '.', '[']).next()
        });
        for option in options.filter(|option| option.len() > 2) {
            assert!(offered.contains(&option), "{words:?} {option}: {all}");
            count += 1;
        }
    }
    assert!(count > 300, "{count}");
}

#[test]
fn completion_scripts_parse() {
    let env = TestEnv::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = env.run(&["__completions", shell]).ok().stdout;
        assert!(script.contains("RUNTIME_MODULE_COMPLETE"), "{script}");
        let Ok(mut parsed) = Command::new(shell).args(["-n", "-c", &script]).spawn() else {
            crate::support::skip(
                "completion_scripts_parse",
                &format!("{shell} is not installed"),
            );
            continue;
        };
        assert!(
            parsed.wait().expect("the shell's status").success(),
            "{shell}"
        );
    }
    let script = env.run(&["__completions", "nushell"]).ok().stdout;
    nushell_completes_what_the_others_do(&script);
    assert!(
        !script.contains("__") && !script.contains("as-user"),
        "{script}"
    );
}

/// Debian has no nushell, so this checks the structure of its script instead of running it.
fn nushell_completes_what_the_others_do(script: &str) {
    assert_eq!(script.matches('{').count(), script.matches('}').count());
    assert_eq!(script.matches('[').count(), script.matches(']').count());
    assert!(
        script.starts_with("module completions {") && script.contains("export use completions *")
    );
    let live = "@\"nu-complete runtime-module live\"";
    for (command, line) in [
        ("enable", "...names: string"),
        ("enable", "--prefetch: string"),
        ("enable", "--module: string"),
        ("disable", "...names: string"),
        ("status", "...names: string"),
        ("prefetch", "...names: string"),
        ("check", "...names: string"),
        ("list", "--host: string"),
        ("apply", "--specialisation: string"),
        ("apply", "--flake: string"),
        ("apply", "--override-input: string"),
        ("rollback", "number?: string"),
        ("bench eval", "...names: string"),
        ("bench overrides", "--with: string"),
        ("bench compare", "first: string"),
    ] {
        let head = format!("export extern \"runtime-module {command}\" [");
        let (_, rest) = script.split_once(&head).expect("the command's declaration");
        let (block, _) = rest
            .split_once("\n  ]")
            .expect("the end of the declaration");
        assert!(
            block.contains(&format!("    {line}{live}")),
            "{command}: no {line} in {block}"
        );
    }
    // Every completer that is used is defined.
    for part in script.split("string@\"").skip(1) {
        let name = part.split('"').next().expect("a name");
        assert!(script.contains(&format!("def \"{name}\" [")), "{name}");
    }
    assert!(script.contains("with-env { RUNTIME_MODULE_COMPLETE: fish }"));
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
