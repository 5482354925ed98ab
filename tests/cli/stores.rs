//! Stores other than the machine's own, and substituters.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::support::{Ran, Sshd, TestEnv, nix};

/// Serves a folder over HTTP. Returns the address and a counter of the bytes sent.
fn serve(folder: PathBuf) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    // The thread ends with the test process.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (folder, count) = (folder.clone(), Arc::clone(&count));
            std::thread::spawn(move || answer(stream, &folder, &count));
        }
    });
    (url, sent)
}

fn answer(stream: TcpStream, folder: &std::path::Path, sent: &AtomicU64) -> Option<()> {
    let mut requests = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let mut first = String::new();
        if requests.read_line(&mut first).ok()? == 0 {
            return None;
        }
        let mut line = String::new();
        while requests.read_line(&mut line).ok()? > 2 {
            line.clear();
        }
        let mut words = first.split_whitespace();
        let head = words.next()? == "HEAD";
        let content = fs::read(folder.join(words.next()?.trim_start_matches('/')));
        let (status, content) = match content {
            Ok(content) => ("200 OK", content),
            Err(_) => ("404 Not Found", Vec::new()),
        };
        let length = content.len();
        let header = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(header.as_bytes()).ok()?;
        if !head {
            stream.write_all(&content).ok()?;
            sent.fetch_add(content.len() as u64, Ordering::Relaxed);
        }
    }
}

#[test]
fn download_shows_progress_in_bytes() {
    let Some(nix) = nix("download_shows_progress_in_bytes") else {
        return;
    };
    // The file is large enough to see its progress, and not compressible.
    let env = TestEnv::fixture()
        .module("web", r#"{ pkgs, ... }: { environment.etc.large.source = pkgs.runCommand "large" { } "dd if=/dev/urandom of=$out bs=1M count=4 2>/dev/null"; }"#)
        .start("box");
    env.run(&["enable", "web"]).ok();
    let system = env.running();
    let cache = env.path("binary-cache");
    copy_to_cache(&env, &nix, &cache, &system);
    env.run(&["reset"]).ok();
    empty_store(&env);
    let (url, sent) = serve(cache);
    let url = format!("{url}?store={}", env.path("store").display());
    let from = [
        "--option",
        "substituters",
        &url,
        "--option",
        "require-sigs",
        "false",
    ];
    let flake = env.flake();
    let run = |arguments: &[&str]| -> Ran { env.run(&[arguments, &from[..]].concat()) };
    let wish = ["enable", "web", "--flake", &flake, "--host", "box"];
    let document = run(&[&wish[..], &["--dry-run", "--json"]].concat())
        .ok()
        .json();
    let fetch = document["missing"]["fetch"]
        .as_array()
        .expect("paths")
        .len();
    let bytes = document["missing"]["downloadBytes"]
        .as_u64()
        .expect("bytes");
    assert!(fetch > 5 && bytes > 4 << 20, "{document:#}");
    let before = sent.load(Ordering::Relaxed);
    assert!(before < 4 << 20, "a dry run downloaded {before} bytes");
    let ran = run(&[&wish[..], &["--progress", "events"]].concat()).ok();
    let downloaded = sent.load(Ordering::Relaxed) - before;
    assert!(downloaded > 4 << 20, "{downloaded} bytes");
    assert_bytes_grow(&ran);
    assert_eq!(env.running(), system);
}

/// Copies a system to a binary cache in a folder.
fn copy_to_cache(env: &TestEnv, nix: &Path, cache: &Path, system: &Path) {
    let url = format!(
        "file://{}?compression=none&store={}",
        cache.display(),
        env.path("store").display()
    );
    let mut copy = env.other(nix);
    copy.args(["--extra-experimental-features", "nix-command"])
        .args(["--store", &env.store(), "copy", "--to", &url])
        .arg(system);
    assert!(copy.status().expect("nix").success());
}

/// Simulates another machine with an empty store at the same path.
fn empty_store(env: &TestEnv) {
    for folder in ["store", "state", "root/run", "root/etc", "cache"] {
        let path = env.path(folder);
        let _ = std::process::Command::new("chmod")
            .args(["-R", "u+w"])
            .arg(&path)
            .status();
        fs::remove_dir_all(&path).expect("removed");
    }
}

/// Checks that the reported number of downloaded bytes only grows.
fn assert_bytes_grow(ran: &Ran) {
    let reported: Vec<u64> = ran
        .stderr
        .lines()
        .filter(|line| line.starts_with('{'))
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|event| event["bytes"]["done"].as_u64())
        .collect();
    assert!(
        reported.windows(2).all(|pair| pair[0] <= pair[1]) && reported.last() > Some(&(4 << 20)),
        "{reported:?}\n{}",
        ran.stderr
    );
}

#[test]
fn chroot_store_builds_but_does_not_activate() {
    let env = TestEnv::fixture();
    let flake = env.flake();
    let store = format!("local?root={}", env.path("chroot").display());
    let apply = [
        "apply", "--flake", &flake, "--host", "box", "--store", &store,
    ];
    let document = env.json(&[&apply[..], &["--dry-run"]].concat());
    let toplevel = document["toplevel"].as_str().expect("a path");
    assert!(toplevel.starts_with("/nix/store/"), "{toplevel}");
    env.run(&[&apply[..], &["--progress", "off"]].concat())
        .ends_with(5)
        .golden("store-in-a-folder");
}

#[test]
fn ssh_store_evaluates_but_does_not_activate() {
    let test = "ssh_store_evaluates_but_does_not_activate";
    let env = TestEnv::fixture();
    let Some(nix) = nix(test) else { return };
    let Some(sshd) = Sshd::start(test, &env) else {
        return;
    };
    let daemon = nix.with_file_name("nix-daemon");
    let options = format!("-p {} {}", sshd.port, Sshd::options(&env));
    // Each machine has its own program, because the shell that ssh runs would split the parameters
    // of a store URL.
    let program = |name: &str, settings: &str| {
        let file = env.path(name);
        let text = format!("#!/bin/sh\n{settings} exec '{}' \"$@\"\n", daemon.display());
        fs::write(&file, text).expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("set");
        file.display().to_string()
    };
    let at = |name: &str| env.path(name).display().to_string();
    let store = format!("ssh-ng://127.0.0.1?store={}&remote-program=", at("store"));
    let run = |store: String, arguments: &[&str]| {
        let mut command = env.command(arguments);
        command.env("NIX_SSHOPTS", &options);
        command.env("RUNTIME_MODULE_STORE", store);
        env.start_running(command).end()
    };
    let flake = env.flake();
    let apply = ["apply", "--flake", &flake, "--host", "box"];
    // This daemon's store is on this machine, at the path in the URL.
    let places = format!(
        "NIX_STORE_DIR={} NIX_STATE_DIR={} NIX_LOG_DIR={}",
        at("store"),
        at("state"),
        at("log")
    );
    let here = store.clone() + &program("daemon-here", &places);
    let dry = [&apply[..], &["--dry-run", "--progress", "off"]].concat();
    let ran = run(here.clone(), &dry).ok();
    assert!(ran.stdout.contains("nixos-system-box"), "{}", ran.stdout);
    run(here.clone(), &[&apply[..], &["--progress", "off"]].concat())
        .ends_with(5)
        .golden("store-by-ssh");
    // This daemon's store has another root, as on another machine.
    let elsewhere = format!("NIX_REMOTE='local?root={}'", at("there"));
    let there = format!(
        "ssh-ng://127.0.0.1?remote-program={}",
        program("daemon-there", &elsewhere)
    );
    run(there, &dry)
        .ends_with(5)
        .golden("store-of-another-machine");
    drop(sshd);
    let gone = run(here, &dry).ends_with(5).stderr;
    assert!(
        gone.contains("error: cannot open the store: failed to start SSH connection")
            && gone.contains("hint: check that `ssh HOST nix-daemon --version` works"),
        "{gone}"
    );
}

/// Makes the store's database look like one of Nix before 2.0, which libnix upgrades when it opens the store.
fn make_database_older(env: &TestEnv) {
    let folder = env.path("state/db");
    let database = rusqlite::Connection::open(folder.join("db.sqlite")).expect("the database");
    database
        .execute_batch("alter table ValidPaths drop column ca")
        .expect("the table of an older Nix");
    fs::write(folder.join("schema"), "9").expect("written");
}

#[test]
fn client_opens_the_store_after_its_evaluator() {
    let env = TestEnv::fixture();
    let flake = env.flake();
    let dry_run = ["apply", "--flake", &flake, "--host", "box", "--dry-run"];
    let mut command = env.command(dry_run);
    command.env("RUNTIME_MODULE_FAULT", "evaluator.open:before:stop");
    let running = env.start_running(command);
    let processes = env.processes();
    processes.wait_for_stop(running.pid()).expect("stopped");
    // In this time, the client opens everything that it may open.
    std::thread::sleep(Duration::from_millis(500));
    assert!(!env.path("state").exists(), "the client opened the store");
    processes.letting_go(|| running.end()).ok();
    assert!(env.path("state").exists());
}

#[test]
fn new_or_older_store_is_opened_without_a_deadlock() {
    // A process that upgrades the database, or creates it with libnix 2.35, waits until no other process uses the store.
    let env = TestEnv::fixture();
    let flake = env.flake();
    let dry_run = [
        "apply",
        "--flake",
        &flake,
        "--host",
        "box",
        "--dry-run",
        "--no-cache",
    ];
    let schema = env.path("state/db/schema");
    let mut versions = Vec::new();
    for _ in 0..3 {
        env.run(&dry_run).ok();
        versions.push(fs::read_to_string(&schema).expect("the schema"));
        make_database_older(&env);
    }
    assert!(
        versions.iter().all(|version| *version == versions[0]) && versions[0] != "9",
        "{versions:?}"
    );
}
