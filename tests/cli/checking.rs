//! `check`, which evaluates every module alone and all together: its forks, limits, formats, shards
//! and baselines.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::sources::committed;
use crate::support::{TestEnv, nix, strings};

/// Returns the rows of a result, keyed by their modules.
fn rows(document: &Value) -> BTreeMap<String, Value> {
    let results = document["results"].as_array().expect("results");
    results
        .iter()
        .map(|row| (strings(&row["modules"]).join("+"), row.clone()))
        .collect()
}

#[test]
fn check_finds_the_derivation_of_enable() {
    let env = TestEnv::new();
    let names = [
        "hello", "web", "pair", "folder", "inline", "kernel", "ifd", "clock",
    ];
    let arguments = [&["check", "--workers", "2"], &names[..]].concat();
    let document = env.json(&arguments);
    assert_eq!(document["summary"]["failed"], 0, "{document:#}");
    let rows = rows(&document);
    assert_eq!(
        rows.len(),
        names.len() + 2,
        "each module, the host alone, and all together"
    );
    for name in names {
        let row = &rows[name];
        let enabled = env.json(&["enable", name, "--dry-run", "--allow-ifd", "--no-cache"]);
        assert_eq!(row["drv"], enabled["drv"], "{name}");
        // Import from derivation needs a writable store, so it is not evaluated in a fork.
        assert_eq!(row["forked"], name != "ifd", "{name}");
        assert_eq!(row["importFromDerivation"], name == "ifd", "{name}");
    }
    assert_eq!(
        strings(&rows["kernel"]["needsReboot"]),
        ["initrd", "kernel parameters"]
    );
    assert!(strings(&rows["hello"]["needsReboot"]).is_empty());
}

#[test]
fn crash_timeout_and_memory_limit_affect_one_row() {
    let env = TestEnv::new();
    let ran = env.run(&[
        "check",
        "--json",
        "--workers",
        "2",
        "--timeout",
        "3",
        "hello",
        "endless-loop",
        "deep-thunks",
        "endless-recursion",
        "web",
    ]);
    let document = ran.ends_with(3).json();
    let rows = rows(&document);
    let status = |name: &str| rows[name]["status"].as_str().expect("a status").to_string();
    assert_eq!(status("endless-loop"), "timed-out");
    assert!(
        ["died", "timed-out"].contains(&status("deep-thunks").as_str()),
        "{document:#}"
    );
    assert_eq!(status("endless-recursion"), "failed");
    assert_eq!((status("hello"), status("web")), ("ok".into(), "ok".into()));
    assert_eq!(
        status("hello+web"),
        "ok",
        "modules that evaluate alone are checked together"
    );

    let env = TestEnv::fixture()
        .module("web", r#"{ environment.etc.large.text = toString (builtins.length (builtins.genList (n: n + 1) 90000000)); }"#)
        .start("box");
    let document = env
        .run(&["check", "--json", "--max-memory", "100M", "hello", "web"])
        .ends_with(3)
        .json();
    let rows = self::rows(&document);
    assert_eq!(rows["web"]["status"], "too-large", "{document:#}");
    assert_eq!(rows["hello"]["status"], "ok");
}

#[test]
fn check_writes_nothing_to_the_store() {
    let env = TestEnv::new();
    let before = env.outputs();
    let drvs = || fs::read_dir(env.path("store")).expect("the store").count();
    let count = drvs();
    env.run(&["check", "hello", "web"]).ok();
    assert_eq!((env.outputs(), drvs()), (before, count));
}

#[test]
fn error_has_position_with_and_without_fork() {
    // `web` needs a build during evaluation, so it does not run in a fork.
    let env = TestEnv::fixture()
        .module("hello", "{\n  environment.etc.x.text = throw \"no\";\n}\n")
        .module(
            "web",
            r#"{ pkgs, ... }:
{
  environment.etc.x.text =
    throw (import (pkgs.writeText "generated.nix" "''no''"));
}
"#,
        )
        .start("box");
    let ran = env.run(&["check", "hello", "web", "--json"]).ends_with(3);
    let rows = rows(&ran.json());
    for (name, forked, line) in [("hello", true, 2), ("web", false, 4)] {
        let row = &rows[name];
        assert_eq!(row["forked"], forked, "{row:#}");
        let file = format!("tests/minios/runtime/{name}.nix");
        assert_eq!(row["position"]["file"], file, "{row:#}");
        assert_eq!(row["position"]["line"], line, "{row:#}");
    }
}

#[test]
fn conflicts_are_found_together() {
    let env = TestEnv::new();
    env.run(&[
        "check",
        "conflict-a",
        "conflict-b",
        "hello",
        "--workers",
        "1",
    ])
    .ends_with(3)
    .golden("check-conflict");
    let document = env
        .run(&[
            "check",
            "conflict-a",
            "conflict-b",
            "hello",
            "--combinations",
            "pairs",
            "--json",
        ])
        .ends_with(3)
        .json();
    let rows = rows(&document);
    assert_eq!(rows["conflict-a+conflict-b"]["status"], "conflict");
    assert_eq!(rows["conflict-a+hello"]["status"], "ok");
    let files = strings(&rows["conflict-a+conflict-b"]["files"]);
    assert_eq!(
        files,
        [
            "tests/minios/runtime/conflict-a.nix",
            "tests/minios/runtime/conflict-b.nix"
        ]
    );
}

#[test]
fn each_format_reports_a_failure() {
    let env = TestEnv::new();
    for format in ["jsonl", "junit", "github", "sarif", "markdown"] {
        env.run(&[
            "check",
            "type-error",
            "warning",
            "--workers",
            "1",
            "--format",
            format,
        ])
        .ends_with(3)
        .golden(&format!("check-{format}"));
    }
}

#[test]
fn sarif_has_a_location_for_each_result() {
    let env = TestEnv::fixture()
        .edit("runtime/a b#%1.nix", |_| {
            "{ environment.etc.odd.text = throw \"odd\"; }\n".into()
        })
        .edit("hosts/box.nix", |text| {
            text.replace(
                "inline = {",
                "odd.module = ../runtime + \"/a b#%1.nix\";\n      inline = {",
            )
        })
        .start("box");
    let names = ["odd", "assertion", "endless-loop", "broken-build"];
    let more = ["--build", "--timeout", "3", "--format", "sarif"];
    let ran = env.run(&[&["check"], &names[..], &more].concat());
    let ran = ran.ends_with(3);
    let document: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let results = document["runs"][0]["results"].as_array().expect("results");
    let mut places: Vec<String> = results
        .iter()
        .map(|result| {
            let place = &result["locations"][0]["physicalLocation"];
            let uri = place["artifactLocation"]["uri"].as_str().expect("a place");
            let line = &place["region"]["startLine"];
            format!("{} {uri}:{line}", result["ruleId"])
        })
        .collect();
    places.sort();
    assert_eq!(
        places,
        [
            "\"failed\" tests/minios/runtime/a%20b%23%251.nix:1",
            "\"failed\" tests/minios/runtime/assertion.nix:1",
            "\"not-built\" tests/minios/runtime/broken-build.nix:1",
            "\"timed-out\" tests/minios/runtime/endless-loop.nix:1",
        ]
    );
}

#[test]
fn shards_cover_each_module_once() {
    let env = TestEnv::new();
    let names = ["hello", "web", "pair", "users", "settings"];
    let whole = env.json(&[&["check"], &names[..]].concat());
    let mut found = BTreeMap::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let part = env.json(&[&["check", "--shard", shard], &names[..]].concat());
        for (name, row) in rows(&part) {
            assert!(
                found.insert(name.clone(), row["drv"].clone()).is_none(),
                "{name} twice"
            );
        }
    }
    let whole: BTreeMap<String, Value> = rows(&whole)
        .into_iter()
        .map(|(name, row)| (name, row["drv"].clone()))
        .collect();
    assert_eq!(found, whole);
}

/// Collects the status and the derivation of each row. Fails if a row occurs twice.
fn collect_rows(document: &Value, rows: &mut BTreeMap<String, (String, Value)>) {
    for row in document["results"].as_array().expect("results") {
        let what = format!("{} {}", row["host"], strings(&row["modules"]).join("+"));
        let status = row["status"].as_str().expect("a status").to_string();
        let before = rows.insert(what.clone(), (status, row["drv"].clone()));
        assert!(before.is_none(), "{what} twice");
    }
}

/// Checks that the shards together give the rows of a single run, for each of these shard counts.
fn shards_say_the_same(env: &TestEnv, arguments: &[&str], counts: &[usize]) {
    let run = |shard: &[&str]| {
        env.run(&[&["check", "--json"], arguments, shard].concat())
            .json()
    };
    let mut whole = BTreeMap::new();
    collect_rows(&run(&[]), &mut whole);
    for count in counts {
        let mut parts = BTreeMap::new();
        for index in 1..=*count {
            collect_rows(&run(&["--shard", &format!("{index}/{count}")]), &mut parts);
        }
        assert_eq!(parts, whole, "{arguments:?} in {count} shards");
    }
}

#[test]
fn shards_of_all_hosts_cover_each_row_once() {
    let all = ["box-list", "bare", "published"];
    for count in 1..=all.len() {
        let env = TestEnv::fixture().edit("flake.nix", |text| {
            let ours = |line: &&str| {
                let host = line.trim().split_once(" = ./hosts/").map(|(host, _)| host);
                host.is_none_or(|host| all[..count].contains(&host))
            };
            text.lines().filter(ours).collect::<Vec<_>>().join("\n")
        });
        shards_say_the_same(&env, &["--flake", &env.flake(), "--all-hosts"], &[2, 3]);
    }
}

#[test]
fn failure_in_another_shard_is_not_a_conflict() {
    let env = TestEnv::new();
    // `type-error` fails alone, and the other two modules evaluate together.
    shards_say_the_same(&env, &["hello", "web", "type-error"], &[2, 3, 4]);
    let pairs = [
        "hello",
        "web",
        "conflict-a",
        "type-error",
        "conflict-b",
        "--combinations",
        "pairs",
    ];
    shards_say_the_same(&env, &pairs, &[2, 3]);
}

/// Creates a fixture whose lock file has an archive that was never fetched. `edits` make the
/// fixture use the archive. Returns nothing if the test is skipped.
fn with_an_input_to_fetch(test: &str, edits: &[(&str, &str, &str)]) -> Option<TestEnv> {
    let nix = nix(test)?;
    let mut env = TestEnv::fixture();
    let far = env.path("far");
    fs::create_dir(&far).expect("a folder");
    fs::write(far.join("text"), "From far away.").expect("written");
    let archive = env.path("far.tar.gz").display().to_string();
    let mut tar = env.other("tar");
    tar.args(["-czf", &archive, "-C"])
        .arg(env.path(""))
        .arg("far");
    assert!(tar.status().expect("tar").success());
    let mut hash = env.other(nix);
    hash.args([
        "--extra-experimental-features",
        "nix-command",
        "hash",
        "path",
    ]);
    let hash = hash.arg(&far).output().expect("nix hash").stdout;
    let hash = String::from_utf8_lossy(&hash);
    let lock = format!(
        r#"{{"nodes":{{
          "far":{{"flake":false,"locked":{{"lastModified":1,"narHash":"{}","type":"tarball","url":"file://{archive}"}},"original":{{"type":"tarball","url":"file://{archive}"}}}},
          "root":{{"inputs":{{"far":"far"}}}}}},"root":"root","version":7}}"#,
        hash.trim()
    );
    fs::write(env.fixture_path("flake.lock"), lock).expect("a lock");
    env = env.edit("flake.nix", |text| {
        text.replace(
            "  outputs =\n",
            &format!(
                "  inputs.far = {{ url = \"file://{archive}\"; flake = false; }};\n  outputs =\n"
            ),
        )
    });
    for (file, from, to) in edits {
        env = env.edit(file, |text| text.replace(from, to));
    }
    fs::remove_dir_all(far).expect("removed");
    Some(env)
}

#[test]
fn unfetched_input_does_not_prevent_forks() {
    let test = "unfetched_input_does_not_prevent_forks";
    let read = "builtins.readFile (self.inputs.far + \"/text\")";
    let described = format!("description = {read};");
    let with_self = ("hosts/common.nix", "{ lib, ... }", "{ lib, self, ... }");
    let files = format!("environment.etc.far.text = {read};\n  environment.etc.motd");
    // The input is needed by the list of modules, by a host whose packages can be shared, or by
    // another host.
    let cases = [
        (
            "box",
            vec![(
                "hosts/box.nix",
                "description = \"A greeting on every start\";",
                described.as_str(),
            )],
        ),
        (
            "box",
            vec![
                with_self,
                ("hosts/common.nix", "environment.etc.motd", files.as_str()),
            ],
        ),
        (
            "bare",
            vec![
                with_self,
                ("hosts/common.nix", "environment.etc.motd", files.as_str()),
            ],
        ),
    ];
    for (host, edits) in cases {
        let Some(env) = with_an_input_to_fetch(test, &edits) else {
            return;
        };
        let document = env.json(&[
            "check",
            "--flake",
            &env.flake(),
            "--host",
            host,
            "clock",
            "banner",
        ]);
        let rows = rows(&document);
        assert_eq!(rows.len(), 4, "{document:#}");
        for name in ["clock", "banner", "clock+banner", "banner+clock"] {
            let forked = rows.get(name).is_none_or(|row| row["forked"] == true);
            assert!(forked, "{host} with {name}: {document:#}");
        }
    }
}

#[test]
fn check_continues_after_a_host_over_its_limit() {
    // This expression never ends, and each of its steps allocates memory.
    let grows = "builtins.toString (builtins.length (builtins.genericClosure { startSet = [ { key = 0; } ]; operator = one: [ { key = one.key + 1; } ]; }))";
    let with = |text: &str| {
        let text = format!("\n  environment.etc.endless.text = {text};");
        TestEnv::fixture()
            .edit("hosts/published.nix", |host| {
                host.replace(
                    "networking.hostName = \"published\";",
                    &format!("networking.hostName = \"published\";{text}"),
                )
            })
            .edit("flake.nix", |flake| {
                let kept = |line: &&str| {
                    let host = line.trim().split_once(" = ./hosts/").map(|(host, _)| host);
                    host.is_none_or(|host| ["published", "bare", "box-list"].contains(&host))
                };
                flake.lines().filter(kept).collect::<Vec<_>>().join("\n")
            })
    };
    let spins = "let n = builtins.genList (n: n) 100000; spin = d: if d == 0 then builtins.any builtins.isNull n else builtins.any (_: spin (d - 1)) n; in if spin 10 then \"\" else \"over\"";
    for (text, limit, status) in [
        (spins, ["--timeout", "6"], "timed-out"),
        (grows, ["--max-memory", "400M"], "too-large"),
    ] {
        let env = with(text);
        let flake = env.flake();
        let arguments = ["check", "--json", "--all-hosts", "--flake", &flake];
        let document = env
            .run(&[&arguments[..], &limit].concat())
            .ends_with(3)
            .json();
        let mut all = BTreeMap::new();
        collect_rows(&document, &mut all);
        assert_eq!(all["\"published\" "].0, status, "{document:#}");
        let others: Vec<_> = all
            .iter()
            .filter(|(what, _)| !what.starts_with("\"published"))
            .collect();
        assert_eq!(others.len(), 10, "{document:#}");
        assert!(
            others.iter().all(|(_, (status, _))| status == "ok"),
            "{document:#}"
        );
    }
}

#[test]
fn baseline_fails_if_counters_grow() {
    let env = TestEnv::new();
    let lines = env
        .run(&["check", "hello", "--format", "jsonl"])
        .ok()
        .stdout;
    let file = env.path("baseline.jsonl");
    let file_name = file.display().to_string();
    fs::write(&file, &lines).expect("a baseline");
    let same = env.json(&[
        "check",
        "hello",
        "--baseline",
        &file_name,
        "--tolerance",
        "0",
    ]);
    assert_eq!(same["summary"]["failed"], 0, "counters are exact: {same:#}");
    assert_eq!(rows(&same)["hello"]["changed"], false);
    let smaller = replaced(&lines, r#""thunks":\d+"#, "\"thunks\":1");
    fs::write(&file, smaller).expect("a baseline");
    let grew = env
        .run(&["check", "hello", "--baseline", &file_name, "--json"])
        .ends_with(3)
        .json();
    assert_eq!(rows(&grew)["hello"]["regressions"][0]["counter"], "thunks");
    // A slower run is noted in every format, but does not fail.
    let faster = replaced(&lines, r#""milliseconds":[\d.]+"#, "\"milliseconds\":0.0");
    fs::write(&file, faster).expect("a baseline");
    let notes = |text: &str, before: &str| {
        let slower = " ms, but 0 ms in the baseline";
        let is = |line: &&str| line.contains(slower) && line.contains(before);
        text.lines().filter(is).count()
    };
    for format in ["jsonl", "junit", "sarif", "github", "table"] {
        let arguments = ["check", "hello", "--baseline", &file_name];
        let ran = env.run(&[&arguments[..], &["--format", format]].concat());
        let ran = ran.ok();
        let found = match format {
            "github" => notes(&ran.stdout, "::warning title="),
            "table" => notes(&ran.stdout, ""),
            "junit" => notes(&ran.stdout, "<system-out>").min(notes(&ran.stderr, "")),
            _ => notes(&ran.stderr, ""),
        };
        assert_eq!(found, 2, "{format}:\n{}{}", ran.stdout, ran.stderr);
    }
    // Counters are not compared with those of a module that failed in the baseline.
    let repaired = replaced(&lines, r#""status":"ok""#, "\"status\":\"timed-out\"");
    let counter = r#""(thunks|values|lookups)":\d+"#;
    let repaired = replaced(&repaired, counter, "\"$1\":0");
    fs::write(&file, repaired).expect("a baseline");
    env.run(&["check", "hello", "--baseline", &file_name]).ok();
    fs::write(&file, "no JSON").expect("a baseline");
    env.run(&["check", "hello", "--baseline", &file_name])
        .ends_with(2)
        .golden("check-bad-baseline");
}

#[test]
fn invalid_tolerances_are_refused() {
    let env = TestEnv::new();
    let file = env.path("baseline.jsonl");
    fs::write(&file, "").expect("a baseline");
    let file_name = file.display().to_string();
    for tolerance in ["nan", "inf", "-1", "some"] {
        let tolerance = format!("--tolerance={tolerance}");
        env.run(&["check", "--baseline", &file_name, &tolerance])
            .ends_with(2);
    }
}

fn replaced(text: &str, pattern: &str, by: &str) -> String {
    let pattern = regex::Regex::new(pattern).expect("a pattern");
    pattern.replace_all(text, by).into_owned()
}

/// Returns the notes of `--changed-since` for a flake, and the number of rows checked.
fn since(env: &TestEnv, flake: &str, revision: &str, more: &[&str]) -> (String, u64) {
    let arguments = [
        "check",
        "--flake",
        flake,
        "--host",
        "box",
        "hello",
        "--json",
        "--changed-since",
        revision,
    ];
    let document = env.run(&[&arguments, more].concat()).ok().json();
    let notes = strings(&document["notes"]).join("\n");
    (
        notes,
        document["summary"]["checked"].as_u64().expect("a number"),
    )
}

/// The number of rows of `check hello`: the host alone, and with that module.
const ALL: u64 = 2;

#[test]
fn changed_since_compares_with_the_revision() {
    let test = "changed_since_compares_with_the_revision";
    let Some(env) = committed(test) else {
        return;
    };
    let source = env.path("source");
    let head = || env.git(&source, &["rev-parse", "HEAD"]).trim().to_string();
    env.git(&source, &["checkout", "-q", "-b", "main"]);
    env.git(&source, &["branch", "old"]);
    let old = head();
    let flake = format!("git+file://{}?dir=tests/minios", source.display());
    let says = |(said, checked): (String, u64), what: &str, count: u64| {
        assert!(said.contains(what), "{said}");
        assert_eq!(checked, count, "{said}");
    };
    // Untracked files are not part of the flake.
    fs::write(source.join("notes"), "untracked\n").expect("written");
    let nothing = |revision: &str| {
        let what = format!("nothing that affects evaluation has changed since {revision}");
        says(since(&env, &flake, revision, &[]), &what, 0);
    };
    nothing("old");
    let back = ["check", "--flake", &flake, "--changed-since", "HEAD~1"];
    env.run(&back).ends_with(2).golden("check-since-a-way");
    nothing(&old);
    // The tree is the same, but impure evaluation may depend on anything, however it is enabled.
    let impure = "cannot tell what has changed since old: evaluation is impure";
    says(since(&env, &flake, "old", &["--impure"]), impure, ALL);
    let set = ["--option", "pure-eval", "false"];
    says(since(&env, &flake, "old", &set), impure, ALL);
    // No module reads this file, but it changes the tree's hash, which `self` exposes.
    fs::write(source.join("README.md"), "A text.\n").expect("written");
    env.git(&source, &["add", "README.md"]);
    env.git(&source, &["commit", "-q", "-m", "a text"]);
    let changed = "changed since old: the source;";
    says(since(&env, &flake, "old", &[]), changed, ALL);
    nothing("main");
    // Change a module, and specify the flake's revision in each possible way.
    let module = env.fixture_path("runtime/hello.nix");
    let text = fs::read_to_string(&module).expect("the module");
    fs::write(&module, text + "# another one\n").expect("written");
    env.git(&source, &["commit", "-q", "-a", "-m", "a module"]);
    let rev = head();
    for which in [String::new(), "&ref=main".into(), format!("&rev={rev}")] {
        let flake = format!("{flake}{which}");
        says(since(&env, &flake, "old", &[]), changed, ALL);
        let changed = format!("changed since {old}: the source;");
        says(since(&env, &flake, &old, &[]), &changed, ALL);
    }
}

#[test]
fn changed_since_refuses_to_guess_unlocked_input() {
    let Some(env) = committed("changed_since_refuses_to_guess_unlocked_input") else {
        return;
    };
    let (source, greeting) = (env.path("source"), env.path("greeting"));
    fs::create_dir(&greeting).expect("a folder");
    fs::write(greeting.join("text"), "Hello.\n").expect("written");
    let input = format!(
        "inputs.greeting = {{ url = \"path:{}\"; flake = false; }};",
        greeting.display()
    );
    let env = env.edit("flake.nix", |text| {
        text.replace(
            "  outputs =\n    { self, ... }:",
            &format!("  {input}\n  outputs =\n    {{ self, ... }}:"),
        )
    });
    env.git(&source, &["commit", "-q", "-a", "-m", "an input"]);
    let flake = format!("git+file://{}?dir=tests/minios", source.display());
    fs::write(greeting.join("text"), "Good morning.\n").expect("written");
    let (said, checked) = since(&env, &flake, "HEAD", &[]);
    assert!(
        said.contains("cannot tell what has changed since HEAD: flake.lock is not up to date"),
        "{said}"
    );
    assert_eq!(checked, ALL);
}

#[test]
fn all_hosts_are_checked() {
    // Leave out the host `box`, and the host `wide` with its thousand modules, which `make bench`
    // measures.
    let env = TestEnv::fixture()
        .edit("flake.nix", |text| {
            text.replace("        wide = ./hosts/wide.nix;\n", "")
        })
        .edit("flake.nix", |text| {
            text.replace("        box = ./hosts/box.nix;\n", "")
        });
    let flake = env.flake();
    let document = env.json(&[
        "check",
        "--flake",
        &flake,
        "--host",
        "bare",
        "--workers",
        "2",
    ]);
    let bare = rows(&document).len();
    let document = env
        .run(&[
            "check",
            "--flake",
            &flake,
            "--all-hosts",
            "--timeout",
            "20",
            "--json",
        ])
        .json();
    let results = document["results"].as_array().expect("results");
    for host in ["box-list", "bare", "other-kernel", "published", "spec"] {
        let alone = results
            .iter()
            .filter(|row| row["host"] == host && strings(&row["modules"]).is_empty());
        assert_eq!(alone.count(), 1, "{host}");
    }
    assert_eq!(
        results.iter().filter(|row| row["host"] == "bare").count(),
        bare
    );
    assert_eq!(document["summary"]["hosts"], 6);
}

#[test]
fn invalid_check_arguments_are_reported() {
    let env = TestEnv::new();
    env.run(&["check", "helo"])
        .ends_with(2)
        .golden("check-unknown-module");
    env.run(&["check", "--shard", "3/2"]).ends_with(2);
    env.run(&["check", "--max-memory", "some"]).ends_with(2);
    env.run(&["check", "--flake", "/nowhere"]).ends_with(3);
}

#[test]
fn modules_that_evaluate_are_built_on_request() {
    let env = TestEnv::new();
    let document = env
        .run(&["check", "hello", "broken-build", "--build", "--json"])
        .ends_with(3)
        .json();
    let rows = rows(&document);
    assert_eq!(rows["hello"]["status"], "ok");
    assert_eq!(rows["broken-build"]["status"], "not-built");
    assert!(
        env.outputs()
            .iter()
            .any(|name| name.contains("hello-runtime"))
    );
}

#[test]
fn interrupt_ends_check_and_its_processes() {
    use unix::sys::signal::Signal;
    let env = TestEnv::new();
    let running =
        env.start_running(env.command(["check", "endless-loop", "hello", "--workers", "2"]));
    env.processes().wait_for("__template");
    std::thread::sleep(std::time::Duration::from_secs(1));
    running.signal(Signal::SIGINT);
    running.end().ends_with(130);
    env.processes()
        .gone_within(std::time::Duration::from_secs(3));
}
