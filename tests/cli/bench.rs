//! `bench`: each table on a small fixture, the result files, and the messages for invalid input.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use boon::{Compiler, Schemas};
use regex::Regex;
use serde_json::Value;
use unix::sys::signal::Signal;

use crate::support::{Ran, TestEnv, compare, has, read_json};

/// Phrases in lines that may be missing, because they depend on the machine and its load.
const NOISE: [&str; 6] = [
    "the machine was busy",
    "the median may be off by more than",
    "slower than the others",
    "some samples are outliers",
    "the CPU governor",
    // Intermediate progress on a slow machine.
    ", now ",
];

static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:<time>|[+-]?\d[\d,]*(?:\.\d+)?(?: (?:ms|s|%|B|[kMG]B))?)").expect("a rule")
});
static SPACE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"  +").expect("a rule"));

/// Returns the output without numbers and without lines that depend on the machine.
fn shape(ran: &Ran) -> String {
    let text = ran.text();
    let lines = text
        .lines()
        .filter(|line| !NOISE.iter().any(|noise| line.contains(noise)));
    lines
        .map(|line| {
            let line = NUMBER.replace_all(line, "N");
            let line = line.replace("+ N", "N").replace("- N", "N");
            let line = SPACE.replace_all(&line, "  ");
            format!("{}\n", line.trim_end())
        })
        .collect()
}

/// Reads a result file and validates it against `docs/bench.schema.json`.
fn result(path: &Path) -> Value {
    let value = read_json(path);
    let mut schemas = Schemas::new();
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/bench.schema.json");
    let index = Compiler::new()
        .compile(schema, &mut schemas)
        .expect("a schema");
    if let Err(error) = schemas.validate(&value, index) {
        panic!("{}: {error:#}", path.display());
    }
    value
}

fn series<'a>(result: &'a Value, name: &str) -> &'a Value {
    let all = result["series"].as_array().expect("series");
    all.iter()
        .find(|one| one["name"] == name)
        .unwrap_or_else(|| panic!("no series {name}: {result:#}"))
}

fn names(result: &Value) -> Vec<&str> {
    let all = result["series"].as_array().expect("series");
    all.iter().filter_map(|one| one["name"].as_str()).collect()
}

/// Returns the counters that are equal in every run.
fn exact(series: &Value) -> Vec<u64> {
    [
        "thunks",
        "functionCalls",
        "primopCalls",
        "lookups",
        "values",
    ]
    .iter()
    .map(|name| series["counters"][name].as_u64().expect("a counter"))
    .collect()
}

#[test]
fn eval_is_measured_and_exported() {
    let env = TestEnv::new();
    let file = |name: &str| env.path(name).display().to_string();
    let measure = |json: &str, more: &[&str]| {
        let json = file(json);
        let arguments = [
            "bench",
            "eval",
            "hello",
            "web",
            "-n",
            "2",
            "--no-plot",
            "--export-json",
            &json,
        ];
        env.run(&[&arguments[..], more].concat()).ok()
    };
    let (markdown, csv, svg) = (file("r.md"), file("r.csv"), file("r.svg"));
    let exports = [
        "--export-markdown",
        &markdown,
        "--export-csv",
        &csv,
        "--export-svg",
        &svg,
    ];
    compare("bench-eval", &shape(&measure("a.json", &exports)));
    measure("b.json", &[]);
    let (first, second) = (result(&env.path("a.json")), result(&env.path("b.json")));
    assert_counters_agree(&first, &second);
    assert_facts_are_recorded(&env, &first);
    assert_exports_are_complete(&env, &first);
    assert_differences_are_found(&env);
}

fn assert_counters_agree(first: &Value, second: &Value) {
    // Counters are equal in all samples and in a second run.
    for name in names(first) {
        let (a, b) = (series(first, name), series(second, name));
        if name.ends_with("cached") {
            continue;
        }
        assert_eq!(a["sameCounters"], true, "{name}");
        assert_eq!(exact(a), exact(b), "{name}");
        assert_eq!(a["samples"].as_array().map(Vec::len), Some(2), "{name}");
        assert_eq!(a["warmup"].as_array().map(Vec::len), Some(1), "{name}");
    }
    let thunks = |name| {
        series(first, name)["counters"]["thunks"]
            .as_u64()
            .expect("thunks")
    };
    assert!(thunks("hello, cold") > thunks("base, cold"));
    assert!(thunks("base, warm") <= thunks("base, cold"));
    let cost = &first["costs"][0];
    assert_eq!(cost["module"], "hello");
    assert_eq!(
        cost["thunks"].as_u64(),
        Some(thunks("hello, cold") - thunks("base, cold"))
    );

    // A cache hit evaluates nothing, so it has no counters.
    assert!(series(first, "hello+web, cached")["counters"].is_null());
}

/// Checks that the result has the facts needed to reproduce the measurement.
fn assert_facts_are_recorded(env: &TestEnv, first: &Value) {
    // The program itself adds less than a millisecond to a measurement.
    let overhead = first["overhead"]["median"].as_f64().expect("an overhead");
    assert!(overhead < 1.0, "overhead of {overhead} ms");

    assert_eq!(first["subject"]["flakes"][0]["host"], "box");
    assert_eq!(first["subject"]["store"], env.store());
    assert!(
        first["subject"]["version"]
            .as_str()
            .is_some_and(|text| text.contains("libnix"))
    );
    assert!(
        first["machine"]["processors"]
            .as_u64()
            .is_some_and(|count| count > 0)
    );
}

fn assert_exports_are_complete(env: &TestEnv, first: &Value) {
    let read = |name: &str| fs::read_to_string(env.path(name)).expect("an export");
    assert_eq!(read("r.csv").lines().count(), 1 + 2 * names(first).len());
    assert!(read("r.md").contains("| hello+web, cold |"));
    let svg = read("r.svg");
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    assert!(svg.contains("prefers-color-scheme: dark") && svg.contains("hello+web, cold"));
}

fn assert_differences_are_found(env: &TestEnv) {
    let file = |name: &str| env.path(name).display().to_string();
    let diff = env
        .run(&["bench", "diff", &file("a.json"), &file("b.json")])
        .ok();
    compare("bench-diff", &shape(&diff));
    let diff = env.json(&["bench", "diff", &file("a.json"), &file("b.json")]);
    assert_eq!(diff["series"][0]["thunks"], 0);
    assert_eq!(diff["series"][0]["difference"]["verdict"], "too-few");
    // The document also lists series that only one file has, and counters that decreased.
    let mut other = read_json(&env.path("b.json"));
    let name = other["series"][0]["name"].take();
    other["series"][0]["name"] = "something else".into();
    let counted = &mut other["series"][1]["counters"]["thunks"];
    *counted = (counted.as_u64().expect("thunks") - 1).into();
    fs::write(env.path("c.json"), other.to_string()).expect("written");
    let diff = env.json(&["bench", "diff", &file("a.json"), &file("c.json")]);
    assert_eq!(diff["onlyOld"], serde_json::json!([name]));
    assert_eq!(diff["onlyNew"], serde_json::json!(["something else"]));
    assert_eq!(diff["series"][0]["thunks"], -1);
}

#[test]
fn toggle_is_measured_and_undone() {
    let env = TestEnv::new();
    let before = env.running();
    let json = env.path("r.json").display().to_string();
    let ran = env.run(&[
        "bench",
        "toggle",
        "web",
        "-n",
        "2",
        "--no-plot",
        "--export-json",
        &json,
    ]);
    compare("bench-toggle", &shape(&ran.ok()));
    assert_eq!(env.running(), before);
    assert!(env.active().is_empty());
    let first = result(&env.path("r.json"));
    assert!(
        names(&first).contains(&"enable: activate") && names(&first).contains(&"disable: total")
    );
    assert!(exact(series(&first, "enable: evaluate"))[0] > 0);

    // An enabled module is disabled first. Without a warm-up, the first run includes the build.
    env.run(&["enable", "hello"]).ok();
    let before = env.running();
    let ran = env.json(&["bench", "toggle", "hello", "-n", "1", "--warmup", "0"]);
    assert_eq!(names(&ran)[0], "disable: total");
    assert_eq!(
        (env.running(), env.active()),
        (before, vec!["hello".to_string()])
    );
    let ran = env.json(&["bench", "toggle", "settings", "-n", "1", "--warmup", "0"]);
    assert!(names(&ran).contains(&"enable: build"), "{ran:#}");
}

#[test]
fn published_presets_are_reproduced() {
    let env = TestEnv::fixture();
    let flake = env.flake();
    for preset in ["jenkins", "grafana", "gotosocial", "generated"] {
        let json = env.path("r.json").display().to_string();
        let arguments = [
            "bench",
            "options",
            "--preset",
            preset,
            "--flake",
            &flake,
            "--host",
            "published",
        ];
        let more = ["-n", "1", "--no-plot", "--export-json", &json];
        let ran = env.run(&[&arguments[..], &more].concat()).ok();
        compare(&format!("bench-options-{preset}"), &shape(&ran));
        let result = result(&env.path("r.json"));
        let toplevel = &result["series"][0];
        assert_eq!(toplevel["name"], "system.build.toplevel.outPath");
        for one in result["series"].as_array().expect("series").iter().skip(1) {
            assert!(exact(one)[0] < exact(toplevel)[0], "{one:#}");
        }
    }
    // A preset also works for a node of a NixOS test, whose attribute path is resolved like a
    // package's.
    let node = [
        "--of",
        "nixosTests.published.nodes.machine",
        "--flake",
        &flake,
    ];
    let arguments = ["bench", "options", "--preset", "grafana", "-n", "1"];
    let result = env.json(&[&arguments[..], &node].concat());
    assert_eq!(
        names(&result)[2],
        "services.grafana.settings without paths.provisioning"
    );
    let published = &series(&result, "services.grafana.settings")["published"];
    assert!((published["ratio"].as_f64().expect("a ratio") - 1230.0 / 2224.0).abs() < 1e-9);
}

#[test]
fn options_are_measured_at_any_depth() {
    let env = TestEnv::new();
    let arguments = [
        "bench",
        "options",
        "systemd.services",
        "-n",
        "1",
        "--warmup",
        "0",
    ];
    let deep = env.json(
        &[
            &arguments[..],
            &["--without", "heartbeat", "--with", "hello"],
        ]
        .concat(),
    );
    assert_eq!(
        names(&deep),
        ["systemd.services without heartbeat", "systemd.services"]
    );
    assert!(exact(&deep["series"][0])[0] < exact(&deep["series"][1])[0]);
    let shallow = env.json(&[&arguments[..], &["--shallow", "--with", "hello"]].concat());
    assert!(exact(&shallow["series"][0])[0] < exact(&deep["series"][1])[0]);
}

#[test]
fn cost_grows_with_the_number_of_overrides() {
    let env = TestEnv::new();
    let json = env.path("r.json").display().to_string();
    let arguments = [
        "bench",
        "overrides",
        "--counts",
        "0,100,1000",
        "-n",
        "1",
        "--no-plot",
    ];
    let ran = env
        .run(&[&arguments[..], &["--export-json", &json]].concat())
        .ok();
    compare("bench-overrides", &shape(&ran));
    let result = result(&env.path("r.json"));
    let thunks: Vec<u64> = names(&result)
        .iter()
        .map(|name| exact(series(&result, name))[0])
        .collect();
    let (first, second) = (thunks[1] - thunks[0], thunks[2] - thunks[0]);
    assert!(
        first > 0 && second.abs_diff(first * 10) < first,
        "{thunks:?}"
    );
}

#[test]
fn two_sources_are_compared() {
    if !has("two_sources_are_compared", "git") {
        return;
    }
    let env = TestEnv::new();
    let git = |arguments: &[&str]| {
        let mut command = env.other("git");
        command
            .current_dir(env.path("source"))
            .args(["-c", "user.name=a", "-c", "user.email=b"]);
        command.args(arguments);
        env.start_running(command).end().ok()
    };
    git(&["init", "-q"]);
    git(&["add", "-A", "-f"]);
    git(&["commit", "-qm", "one"]);
    let old = git(&["rev-parse", "HEAD"]).stdout.trim().to_string();
    let env = env.edit("hosts/common.nix", |text| {
        text.replace("Welcome to", "You are on")
    });
    let mut command = env.other("git");
    command.current_dir(env.path("source")).args([
        "-c",
        "user.name=a",
        "-c",
        "user.email=b",
        "commit",
        "-qam",
        "two",
    ]);
    env.start_running(command).end().ok();
    let flake = format!(
        "git+file://{}?dir=tests/minios",
        env.path("source").display()
    );
    let arguments = [
        "bench", "compare", &old, &flake, "--flake", &flake, "--host", "box", "-n", "1",
    ];
    let result = env.json(&arguments);
    assert_eq!(names(&result), ["A", "B"]);
    assert_eq!(result["subject"]["flakes"][0]["rev"], old.as_str());
    assert_ne!(
        result["subject"]["flakes"][0]["locked"],
        result["subject"]["flakes"][1]["locked"]
    );
    assert_eq!(result["difference"]["verdict"], "too-few");
    compare(
        "bench-compare-short-revision",
        &env.run(&["bench", "compare", "0123456", "."])
            .ends_with(2)
            .text(),
    );
}

#[test]
fn progress_names_the_measured_series() {
    let env = TestEnv::new();
    let ran = env.run(&[
        "bench",
        "options",
        "systemd.units",
        "-n",
        "4",
        "--progress",
        "events",
        "--no-plot",
    ]);
    let ran = ran.ok();
    let events: Vec<Value> = ran
        .stderr
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).expect("an event"))
        .filter(|event: &Value| event["event"] == "bench")
        .collect();
    let last = events.last().expect("an event");
    assert_eq!(last["name"], "systemd.units");
    assert!(
        last["share"]
            .as_f64()
            .is_some_and(|share| share > 0.0 && share <= 1.0),
        "{last}"
    );
    assert!(last["left"].as_f64().is_some(), "{last}");
}

#[test]
fn plot_fits_the_width() {
    let env = TestEnv::new();
    let ran = env
        .run(&[
            "bench",
            "options",
            "networking.hostName",
            "systemd.units",
            "-n",
            "3",
        ])
        .ok();
    let plot: Vec<&str> = ran
        .stdout
        .lines()
        .skip_while(|line| !line.contains('█'))
        .collect();
    assert_eq!(plot.len(), 3, "{}", ran.stdout);
    assert!(
        plot.iter().all(|line| line.chars().count() <= 100),
        "{}",
        ran.stdout
    );
}

#[test]
fn changed_flake_invalidates_the_run() {
    let env = TestEnv::new();
    let (flake, json) = (env.flake(), env.path("r.json").display().to_string());
    let arguments = [
        "bench",
        "options",
        "systemd.units",
        "-n",
        "3",
        "--flake",
        &flake,
        "--host",
        "box",
    ];
    let more = ["--export-json", &json, "--progress", "events"];
    let mut running = env.start_running(env.command([&arguments[..], &more].concat()));
    running.until("\"event\":\"bench\"");
    fs::write(env.fixture_path("new-file"), "").expect("the flake changed");
    let ran = running.end().ends_with(5);
    let said: String = ran
        .stderr
        .lines()
        .filter(|line| !line.starts_with('{'))
        .map(|line| format!("{line}\n"))
        .collect();
    compare("bench-void", &env.normalise(&said));
    assert!(!env.path("r.json").exists() && ran.stdout.is_empty());
}

#[test]
fn interrupted_run_keeps_its_samples() {
    let env = TestEnv::new();
    let json = env.path("r.json").display().to_string();
    let arguments = [
        "bench",
        "options",
        "systemd.units",
        "-n",
        "100000",
        "--no-plot",
        "--export-json",
        &json,
    ];
    let mut running =
        env.start_running(env.command([&arguments[..], &["--progress", "events"]].concat()));
    running.until("\"done\":2");
    running.signal(Signal::SIGINT);
    let ran = running.end().ends_with(130);
    let result = result(&env.path("r.json"));
    assert_eq!(result["interrupted"], true);
    assert!(
        !result["series"][0]["samples"]
            .as_array()
            .expect("samples")
            .is_empty()
    );
    assert!(
        ran.stderr
            .contains("interrupted: the result has only the samples taken until then"),
        "{}",
        ran.text()
    );
    env.processes()
        .gone_within(std::time::Duration::from_secs(2));

    // Interrupt another run before its first sample.
    let mut running =
        env.start_running(env.command([&arguments[..], &["--progress", "events"]].concat()));
    running.until("\"event\":\"bench\"");
    running.signal(Signal::SIGINT);
    let said = running.end().ends_with(130).stderr;
    assert!(said.contains("interrupted; nothing was measured"), "{said}");
}

#[test]
fn interrupted_toggle_is_undone() {
    let env = TestEnv::new();
    let before = env.running();
    let arguments = [
        "bench",
        "toggle",
        "web",
        "-n",
        "100000",
        "--no-plot",
        "--progress",
        "events",
    ];
    let mut running = env.start_running(env.command(arguments));
    running.until("\"done\":1");
    running.signal(Signal::SIGINT);
    running.end().ends_with(130);
    assert_eq!(env.running(), before);
    assert!(env.active().is_empty());
}

#[test]
fn invalid_bench_input_is_reported() {
    let env = TestEnv::new();
    let golden = |name: &str, code: i32, arguments: &[&str]| {
        let ran = env.run(&[&["bench"], arguments].concat()).ends_with(code);
        compare(&format!("bench-{name}"), &ran.text());
    };
    golden("no-such-option", 2, &["options", "networking.hostNam"]);
    golden(
        "no-such-unit",
        2,
        &["options", "systemd.units.\"heartbeat.servic\".text"],
    );
    golden("below-a-string", 2, &["options", "networking.hostName.x"]);
    golden("no-path", 2, &["options", "a..b"]);
    golden("a-function", 2, &["options", "--of", "lib.mkIf", ""]);
    golden(
        "functions-in-it",
        3,
        &["options", "--of", "lib.types", "str"],
    );
    golden("no-such-module", 2, &["eval", "nothing"]);
    golden(
        "no-such-export-folder",
        2,
        &["eval", "--export-json", "nowhere/x.json"],
    );
    golden("export-to-a-folder", 2, &["eval", "--export-csv", "home"]);
    golden(
        "with-and-of",
        2,
        &["options", "x", "--of", "lib", "--with", "hello"],
    );
    golden("no-json", 2, &["overrides", "--value", "abc"]);
    golden("runs-and-budget", 2, &["eval", "-n", "3", "--budget", "3s"]);
    golden("no-time", 2, &["eval", "--budget", "soon"]);
    golden("toggle-elsewhere", 2, &["toggle", "hello", "--flake", "."]);
    golden("toggle-unknown", 2, &["toggle", "nothing"]);
    let ran = env.run(&["bench", "options", "systemd.units", "--budget", "1x"]);
    compare("bench-budget-as-text", &ran.ends_with(2).text());
    let small = env
        .run(&["bench", "eval", "hello", "--budget", "0.001s"])
        .ends_with(2);
    compare("bench-budget-too-small", &shape(&small));
    env.run(&["enable", "hello"]).ok();
    golden("toggle-mixed", 5, &["toggle", "hello", "web"]);
}

#[test]
fn throwing_option_is_reported_with_position() {
    let env = TestEnv::fixture()
        .module(
            "hello",
            "{ environment.etc.bad.text = throw \"not like this\"; }\n",
        )
        .start("box");
    let arguments = [
        "bench",
        "options",
        "environment.etc.bad.text",
        "--with",
        "hello",
    ];
    compare("bench-throws", &env.run(&arguments).ends_with(3).text());
}

#[test]
fn derivation_is_forced_only_to_its_path() {
    let env = TestEnv::new();
    let arguments = [
        "bench",
        "options",
        "system.build.toplevel",
        "-n",
        "1",
        "--no-plot",
    ];
    compare("bench-derivation", &shape(&env.run(&arguments).ok()));
}

#[test]
fn diff_rejects_files_that_are_not_results() {
    let env = TestEnv::new();
    let write = |name: &str, text: &str| fs::write(env.path(name), text).expect("a file");
    write(
        "newer.json",
        r#"{"schema": 9, "kind": "runtime-module-bench"}"#,
    );
    write("other.json", r#"{"schema": 1, "results": []}"#);
    write("cut.json", r#"{"schema": 1, "#);
    write(
        "odd.json",
        r#"{"schema": 1, "kind": "runtime-module-bench", "series": 7}"#,
    );
    for name in ["newer", "other", "cut", "odd", "missing"] {
        let ran = env.run(&[
            "bench",
            "diff",
            &format!("{name}.json"),
            &format!("{name}.json"),
        ]);
        compare(&format!("bench-diff-{name}"), &ran.ends_with(2).text());
    }
}
