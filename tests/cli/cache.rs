//! The result cache: hits and misses. The cache must never change the activated system.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::{Evidence, TestEnv, nix, soak};

/// Returns the JSON document of a dry run.
fn dry(env: &TestEnv, arguments: &[&str]) -> Value {
    env.json(&[&["enable", "--dry-run"], arguments].concat())
}

fn hit(document: &Value) -> bool {
    document["cache"]["hit"].as_bool().expect("cache.hit")
}

/// Writes a file with an old modification time.
fn edit(file: &Path, text: &str) {
    fs::write(file, text).expect("edited");
    let file = fs::File::options().append(true).open(file).expect("open");
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000))
        .expect("made old");
}

fn why(document: &Value) -> String {
    document["cache"]["why"]
        .as_str()
        .expect("a reason")
        .to_string()
}

#[test]
fn second_enable_is_a_cache_hit() {
    let env = TestEnv::new();
    let first = env.json(&["enable", "hello"]);
    assert!(!hit(&first));
    env.run(&["disable", "hello"]).ok();
    let ran = env
        .run(&["enable", "hello"])
        .ok()
        .golden("enable-from-the-cache");
    assert!(!ran.stderr.contains("files,"), "{}", ran.stderr);
    env.run(&["disable", "hello"]).ok();
    let again = env.json(&["enable", "hello"]);
    assert!(hit(&again));
    assert_eq!(again["toplevel"], first["toplevel"]);
    assert_eq!(again["drv"], first["drv"]);
    assert_eq!(again["facts"], first["facts"]);
    assert!(again["counters"].is_null() && again["phases"]["evaluate"].is_null());
}

#[test]
fn cached_result_includes_warnings() {
    let env = TestEnv::new();
    let first = dry(&env, &["warning"]);
    let again = dry(&env, &["warning"]);
    assert!(!hit(&first) && hit(&again));
    assert_eq!(again["warnings"], first["warnings"]);
    assert!(
        env.run(&["enable", "warning", "--dry-run"])
            .stderr
            .contains("warning")
    );
}

#[test]
fn cache_is_listed_counted_cleared_and_bypassed() {
    let env = TestEnv::new();
    env.run(&["cache", "clear"]).ok();
    env.run(&["cache"]).ok().golden("cache-empty");
    env.run(&["enable", "hello", "--no-cache"]).ok();
    env.run(&["cache"]).ok().golden("cache-empty");
    env.run(&["disable", "hello"]).ok();
    env.run(&["enable", "hello"]).ok();
    env.run(&["enable", "web", "--dry-run"]).ok();
    let listed = env.json(&["cache", "list"]);
    let results = listed["results"].as_array().expect("results");
    assert_eq!(results.len(), 2);
    assert_eq!(
        results.iter().filter(|one| one["rooted"] == true).count(),
        1
    );
    let stats = env.json(&["cache", "stats"]);
    assert_eq!(
        (&stats["results"], &stats["rooted"]),
        (&2.into(), &1.into())
    );
    env.run(&["cache", "clear"]).ok().golden("cache-clear");
    assert_eq!(env.json(&["cache", "stats"])["rooted"], 0);
    let document = env.json(&["enable", "web", "--dry-run", "--no-cache"]);
    assert_eq!(why(&document), "--no-cache");
}

#[test]
fn old_results_are_pruned_even_without_new_ones() {
    let env = TestEnv::new();
    for name in ["hello", "inline"] {
        env.run(&["enable", name, "--progress", "off"]).ok();
        env.run(&["reset", "--progress", "off"]).ok();
    }
    let rooted = || env.json(&["cache", "stats"])["rooted"].clone();
    let before = rooted().as_u64().expect("a number");
    assert!(before >= 2, "{before}");
    // Make all results 31 days old, and then use one of them.
    let folder = env.path("cache/runtime-module");
    let mut old = env.other("find");
    old.arg(folder).args([
        "-name",
        "*.json",
        "-exec",
        "touch",
        "-d",
        "31 days ago",
        "{}",
        "+",
    ]);
    assert!(old.status().expect("find").success());
    assert_eq!(rooted(), before);
    assert!(hit(&env.json(&["enable", "hello"])));
    let listed = env.json(&["cache", "list"]);
    let results = listed["results"].as_array().expect("results");
    assert_eq!(results.len(), 1, "{listed:#}");
    assert_eq!(results[0]["modules"], json!(["hello"]));
    assert_eq!(rooted(), 1);
}

#[test]
fn each_cache_miss_names_its_reason() {
    let env = TestEnv::new();
    let flake = env.flake();
    let here: &[&str] = &["hello", "--flake", &flake, "--host", "box"];
    assert!(!hit(&dry(&env, here)));
    assert!(hit(&dry(&env, here)));
    let miss = |arguments: &[&str]| {
        let document = dry(&env, arguments);
        assert!(!hit(&document), "{arguments:?}");
        why(&document)
    };
    assert_eq!(
        miss(&["web", "--flake", &flake, "--host", "box"]),
        "no result with these modules yet"
    );
    assert_eq!(
        miss(&["hello", "--flake", &flake, "--host", "box-list"]),
        "no result for this host yet"
    );
    let with = |more: &[&str]| miss(&[here, more].concat());
    assert_eq!(
        with(&["--option", "max-call-depth", "9999"]),
        "changed since: Nix settings"
    );
    assert_eq!(
        with(&["--option", "system", "i686-linux"]),
        "changed since: Nix settings"
    );
    assert!(with(&["--impure"]).contains("impure"));
    // Settings that affect only builds or output cause no miss.
    let more = ["--option", "cores", "1", "--show-trace", "-v"];
    assert!(hit(&dry(&env, &[here, &more[..]].concat())));

    let file = env.fixture_path("hosts/bare.nix");
    let before = fs::read_to_string(&file).expect("a host");
    edit(&file, &before);
    assert!(hit(&dry(&env, here)));
    // A changed byte in an unrelated file is a miss too, because nothing proves that the file is
    // unrelated.
    let env = env.edit("hosts/bare.nix", |text| format!("{text}\n"));
    let document = dry(&env, here);
    assert_eq!(
        (hit(&document), why(&document).as_str()),
        (false, "changed since: the source")
    );
    // Restore the same bytes and the same old modification time, which `self.lastModified` exposes.
    edit(&env.fixture_path("hosts/bare.nix"), &before);
    assert!(hit(&dry(&env, here)), "the restored tree is a miss");
}

#[test]
fn inputs_and_module_files_are_part_of_the_key() {
    let env = env_with_input_word();
    let word = |folder: &str, text: &str| {
        fs::create_dir_all(env.path(folder)).expect("a folder");
        fs::write(env.path(folder).join("word"), text).expect("a word");
        format!("path:{}", env.path(folder).display())
    };
    let (one, other) = (word("one", "one"), word("other", "other"));
    let module = env.path("module.nix");
    let write = |text: &str| {
        let text = format!("{{ environment.etc.extra.text = \"{text}\"; }}");
        fs::write(&module, text).expect("a module");
    };
    write("first");
    let flake = env.flake();
    let run = |input: &str, config: &str, more: &[&str]| {
        let mut command = env.command(["enable", "hello", "--dry-run", "--json"]);
        command.args(["--flake", &flake, "--host", "box"]).args([
            "--override-input",
            "word",
            input,
        ]);
        command.args(more).env("NIX_CONFIG", config);
        env.start_running(command).end().ok().json()
    };
    let module = module.display().to_string();
    // Run each case twice: the first run is a miss, the second one a hit.
    let mut systems: Vec<(String, String)> = Vec::new();
    let mut other_than_all = |what: &str, run: &dyn Fn() -> Value| {
        let (first, second) = (run(), run());
        assert!(!hit(&first), "{what} comes from the cache");
        assert!(hit(&second), "{what}: {}", why(&second));
        assert_eq!(first["drv"], second["drv"], "{what}");
        systems.push((what.into(), first["drv"].as_str().expect("one").into()));
    };
    other_than_all("an input", &|| run(&one, "", &[]));
    other_than_all("another input", &|| run(&other, "", &[]));
    word("one", "changed");
    other_than_all("an input that has changed", &|| run(&one, "", &[]));
    other_than_all("a module", &|| run(&one, "", &["--module", &module]));
    write("second");
    other_than_all("a module that has changed", &|| {
        run(&one, "", &["--module", &module])
    });
    for (number, (what, system)) in systems.iter().enumerate() {
        let same = systems[..number].iter().find(|(_, known)| known == system);
        assert_eq!(same, None, "{what} evaluates to the same system");
    }
    // A setting visible to evaluation is part of the key even if nothing reads it, and also if
    // `NIX_CONFIG` sets it.
    let features = "extra-experimental-features = fetch-closure";
    for config in ["max-call-depth = 9999", features] {
        let document = run(&one, config, &[]);
        assert_eq!(
            (hit(&document), why(&document).as_str()),
            (false, "changed since: Nix settings"),
            "{config}"
        );
    }
}

#[test]
fn pure_evaluation_ignores_the_environment() {
    let env = TestEnv::new();
    let drv = dry(&env, &["hello"])["drv"].clone();
    let mut command = env.command(["enable", "hello", "--dry-run", "--json", "--no-cache"]);
    command
        .env("RUNTIME", "another")
        .env("NIX_PATH", "nixpkgs=/nowhere")
        .env("LANG", "C")
        .env("TZ", "Asia/Tokyo");
    assert_eq!(env.start_running(command).end().ok().json()["drv"], drv);
    fs::write(env.path("outside"), "written").expect("a file outside");
    let fresh = env.json(&["enable", "hello", "--dry-run", "--no-cache"]);
    assert_eq!(fresh["drv"], drv);
    let document = dry(&env, &["hello"]);
    assert!(hit(&document));
    assert_eq!(document["drv"], drv);
}

#[test]
fn impure_evaluation_is_never_cached() {
    let env = TestEnv::fixture()
        .module(
            "hello",
            "{ lib, ... }: { environment.etc.seen.text = \"${builtins.getEnv \"SEEN\"}${lib.optionalString (builtins ? exec) \"native\"}\"; }",
        )
        .start("box");
    let seen = |value: &str, config: &str, more: &[&str]| {
        let mut command = env.command(["enable", "hello", "--dry-run", "--json"]);
        command
            .args(more)
            .env("SEEN", value)
            .env("NIX_CONFIG", config);
        env.start_running(command).end().ok().json()
    };
    let pure = seen("one", "", &[]);
    assert!(
        hit(&seen("two", "", &[])),
        "a pure run depends on the environment"
    );
    for (config, more) in [
        ("", &["--impure"][..]),
        ("", &["--option", "pure-eval", "false"]),
        ("", &["--impure", "--option", "pure-eval", "false"]),
    ] {
        let (one, two) = (seen("one", config, more), seen("two", config, more));
        assert_eq!(why(&one), "evaluation is impure", "{more:?}");
        assert!(!hit(&one) && !hit(&two), "{more:?}");
        assert_ne!(one["drv"], two["drv"], "{more:?}");
    }
    // `pure-eval` in NIX_CONFIG does not make our evaluation impure: only the command line can.
    assert_eq!(seen("one", "pure-eval = false", &[])["drv"], pure["drv"]);
    let native = "allow-unsafe-native-code-during-evaluation";
    for (config, more) in [
        (format!("{native} = true"), &[][..]),
        (String::new(), &["--option", native, "true"]),
    ] {
        let document = seen("one", &config, more);
        assert_eq!(
            (hit(&document), why(&document).as_str()),
            (false, "evaluation may run native code")
        );
        assert_ne!(document["drv"], pure["drv"]);
    }
    assert!(
        hit(&seen("three", "", &[])),
        "the pure result is no longer cached"
    );
}

#[test]
fn collected_derivation_is_evaluated_again() {
    let Some(nix) = nix("collected_derivation_is_evaluated_again") else {
        return;
    };
    let env = TestEnv::new();
    let first = dry(&env, &["web"]);
    assert!(hit(&dry(&env, &["web"])));
    let collect = || {
        let mut command = env.other(&nix);
        command.args([
            "--extra-experimental-features",
            "nix-command",
            "store",
            "gc",
            "--store",
            &env.store(),
        ]);
        env.start_running(command).end().ok();
    };
    collect();
    let document = dry(&env, &["web"]);
    assert_eq!(
        (hit(&document), why(&document).as_str()),
        (
            false,
            "neither the cached system nor its derivation is in the store any more"
        )
    );
    assert_eq!(document["drv"], first["drv"]);

    // A built result has a GC root, so only its derivation is collected.
    env.run(&["enable", "web"]).ok();
    env.run(&["disable", "web"]).ok();
    fs::remove_dir_all(env.root("run/runtime-modules/roots")).expect("the roots of this boot");
    collect();
    let document = env.json(&["enable", "web"]);
    assert!(hit(&document), "{document:#}");
    assert_eq!(
        env.etc("web/index.html").as_deref(),
        Some("<h1>minios</h1>\n")
    );
}

#[test]
fn prefetched_module_is_only_activated() {
    let env = TestEnv::new();
    env.run(&["prefetch", "web", "pair"]).ok();
    assert!(env.active().is_empty());
    let document = env.json(&["enable", "web", "--prefetch", "hello"]);
    assert!(hit(&document));
    assert!(document["phases"]["build"].is_null(), "{document:#}");
    let document = env.json(&["enable", "hello"]);
    assert!(
        hit(&document) && document["phases"]["build"].is_null(),
        "{document:#}"
    );
    env.run(&["cache", "clear"]).ok();
    env.run(&["prefetch", "helo", "clock"]).ends_with(2);
    assert!(
        hit(&dry(&env, &["clock"])),
        "names after an unknown one are prefetched too"
    );
}

#[test]
fn failed_evaluation_is_not_cached() {
    let env = TestEnv::new();
    for _ in 0..2 {
        env.run(&["enable", "assertion", "--dry-run"]).ends_with(3);
    }
    assert_eq!(
        env.json(&["cache", "stats"])["results"],
        1,
        "only the result of the first apply is cached"
    );
}

/// Returns a fixture whose text of `/etc/motd` comes from the input `word`.
fn env_with_input_word() -> TestEnv {
    TestEnv::fixture()
        .edit("flake.nix", |text| {
            text.replace(
                "  outputs =\n    { self, ... }:",
                "  inputs.word = { url = \"path:/nowhere\"; flake = false; };\n  outputs =\n    { self, word, ... }:",
            )
            .replace(
                "specialArgs = { inherit self; };",
                "specialArgs = { inherit self word; };",
            )
        })
        .edit("hosts/common.nix", |text| {
            text.replacen("{ lib", "{ word, lib", 1).replace(
                "Welcome to minios.",
                "${builtins.readFile (word + \"/word\")}",
            )
        })
}

/// After random edits and toggles, the derivation is the same with the cache and without it.
/// `make soak` runs 10,000 steps.
#[test]
fn random_steps_agree_with_and_without_cache() {
    let steps = soak(10_000).unwrap_or(100);
    let evidence = Evidence::of("cache");
    let env = TestEnv::new();
    let flake = env.flake();
    let sets: [&[&str]; 4] = [
        &["hello"],
        &["web", "pair"],
        &["inline", "clock"],
        &["pair", "web"],
    ];
    let mut random = 0x5eed_u64;
    let mut next = |below: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below
    };
    let mut hits = 0;
    for step in 0..steps {
        let file = env.fixture_path(["runtime/hello.nix", "hosts/common.nix"][next(2)]);
        if next(4) == 0 {
            edit_back_and_forth(&file);
        }
        let chosen = sets[next(sets.len())];
        let depth = ["10000", "9999"][next(8) / 7];
        let host = ["box", "box-list"][next(6) / 5];
        let arguments = [
            chosen,
            &[
                "--flake",
                &flake,
                "--host",
                host,
                "--option",
                "max-call-depth",
                depth,
            ],
        ]
        .concat();
        hits += usize::from(hits_and_agrees(&env, step, &arguments));
        let done = step + 1;
        if done % 500 == 0 || done == steps {
            evidence
                .write(&json!({ "steps": done, "of": steps, "hits": hits, "otherDerivations": 0 }));
        }
    }
    assert!(
        hits > steps / 4,
        "only {hits} of {steps} were hits: too few to test the cache"
    );
}

/// Edits a file back and forth between two versions, so that trees repeat.
fn edit_back_and_forth(file: &Path) {
    let text = fs::read_to_string(file).expect("a module");
    let text = match text.strip_suffix("# edited\n") {
        Some(before) => before.to_string(),
        None => text.replace("minios", "miniOS") + "# edited\n",
    };
    edit(file, &text);
}

/// Checks that a dry run gives the same result with and without the cache. Returns whether the
/// result was cached.
fn hits_and_agrees(env: &TestEnv, step: usize, arguments: &[&str]) -> bool {
    let kept = env.run(&[&["enable", "--dry-run", "--json"], arguments].concat());
    let fresh = env.run(&[&["enable", "--dry-run", "--json", "--no-cache"], arguments].concat());
    assert_eq!(kept.code, fresh.code, "step {step}: {arguments:?}");
    let (kept, fresh) = (kept.json(), fresh.json());
    for field in ["drv", "toplevel", "facts", "warnings", "modules", "base"] {
        assert_eq!(
            kept[field], fresh[field],
            "step {step}: {field} of {arguments:?}"
        );
    }
    kept["cache"]["hit"] == true
}
