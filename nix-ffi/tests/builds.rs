//! Store operations: builds and their results, logs, missing paths, GC roots, closures, real paths,
//! derivers, sizes, and added files.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests prepare files and start programs"
)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;
use std::process::ExitCode;

use common::{absent_path, evaluate, folder, fresh_folder, path, store, write};
use nix_ffi::{BuildResult, StorePath, set_setting};

fn main() -> ExitCode {
    common::main(&common::trials![
        successful_build_has_outputs_and_log,
        all_outputs_are_listed,
        plain_path_is_realised,
        failed_build_has_message_and_log,
        failed_dependency_is_reported,
        keep_going_reports_every_failure,
        goal_that_never_ran_has_no_result,
        missing_output_fails_the_build,
        timeout_fails_the_build,
        invalid_paths_are_refused,
        builders_start_with_clean_signals,
        missing_paths_are_listed,
        root_is_a_registered_link,
        invalid_roots_are_refused,
        temporary_root_is_registered,
        closure_and_its_size_are_returned,
        real_path_of_a_store_path,
        deriver_of_a_path,
        nar_size_of_a_path,
        files_and_folders_are_added,
        unsupported_files_are_not_added,
        store_serves_many_threads,
        unusable_store_is_an_error,
    ])
}

fn derivation(attributes: &str) -> StorePath {
    evaluate(|e| e.derivation(attributes))
}

fn build(drv: &StorePath) -> BuildResult {
    let mut results = store().build(std::slice::from_ref(drv)).unwrap();
    assert_eq!(results.len(), 1, "{results:?}");
    let result = results.remove(0);
    assert_eq!(result.path, *drv);
    result
}

/// Returns a store path with the same hash and another name.
fn renamed(path: &StorePath, from: &str, to: &str) -> StorePath {
    common::path(&path.as_str().replace(from, to))
}

fn successful_build_has_outputs_and_log() {
    let drv = derivation("{ name = \"ok\"; script = \"echo hello; echo content > $out\"; }");
    assert_eq!(store().build_log(&drv).unwrap(), None);
    let known = store().derivation_outputs(&drv).unwrap();
    let result = build(&drv);
    assert_eq!(
        (
            result.success,
            result.status.as_str(),
            result.message.as_str()
        ),
        (true, "Success", "")
    );
    assert_eq!(result.outputs, known);
    let [(name, path)] = &result.outputs[..] else {
        panic!("{result:?}")
    };
    assert_eq!(name, "out");
    assert_eq!(std::fs::read_to_string(path).unwrap(), "content\n");
    assert_eq!(store().is_valid(path), Ok(true));
    assert_eq!(store().build_log(&drv).unwrap().as_deref(), Some("hello\n"));
    // A second build has nothing to do.
    assert_eq!(build(&drv), result);
}

fn all_outputs_are_listed() {
    let drv = derivation(
        "{ name = \"two\"; outputs = [ \"out\" \"dev\" ]; script = \"echo 1 > $out; echo 2 > $dev\"; }",
    );
    let result = build(&drv);
    let names: Vec<_> = result
        .outputs
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["dev", "out"]);
    let dev = result.outputs[0].1.as_str();
    assert!(dev.ends_with("-two-dev"), "{result:?}");
}

fn plain_path_is_realised() {
    let drv = derivation("{ name = \"plain\"; script = \"echo 1 > $out\"; }");
    let out = build(&drv).outputs.remove(0).1;
    let result = build(&out);
    assert!(result.success && result.outputs.is_empty(), "{result:?}");
    let result = build(&renamed(&out, "-plain", "-absent"));
    assert_eq!(
        (result.success, result.status.as_str()),
        (false, "NoSubstituters"),
        "{result:?}"
    );
    assert!(result.message.contains("-absent"), "{result:?}");
}

fn failed_build_has_message_and_log() {
    let drv = derivation(
        "{ name = \"fails\"; script = \"echo to the log; echo and this >&2; exit 7\"; }",
    );
    let result = build(&drv);
    assert_eq!(
        (result.success, result.status.as_str()),
        (false, "PermanentFailure")
    );
    assert_eq!(result.outputs, []);
    // Since 2.29, the reason is on another line.
    let parts = ["fails.drv'", "failed with exit code 7"];
    assert!(
        parts.iter().all(|part| result.message.contains(part)),
        "{result:?}"
    );
    assert!(
        result.message.contains("and this") && !result.message.contains('\u{1b}'),
        "{result:?}"
    );
    assert!(!result.message.starts_with("error:"), "{result:?}");
    assert_eq!(
        store().build_log(&drv).unwrap().as_deref(),
        Some("to the log\nand this\n")
    );
}

fn failed_dependency_is_reported() {
    let drv = derivation(
        "{ name = \"upper\"; script = \"echo $lower > $out\"; lower = sh { name = \"lower\"; script = \"exit 1\"; }; }",
    );
    let result = build(&drv);
    assert_eq!(
        (result.success, result.status.as_str()),
        (false, "DependencyFailed")
    );
    assert!(result.message.contains("upper.drv"), "{result:?}");
    assert_eq!(store().build_log(&drv).unwrap(), None);
}

fn keep_going_reports_every_failure() {
    let one = derivation("{ name = \"one\"; script = \"exit 1\"; }");
    let two = derivation("{ name = \"two\"; script = \"exit 2\"; }");
    let good = derivation("{ name = \"good\"; script = \"echo 1 > $out\"; }");
    assert_eq!(set_setting("keep-going", "true"), Ok(true));
    let results = store()
        .build(&[one.clone(), two.clone(), good.clone()])
        .unwrap();
    assert_eq!(set_setting("keep-going", "false"), Ok(true));
    let of = |drv: &StorePath| results.iter().find(|result| result.path == *drv).unwrap();
    assert!(of(&one).message.contains("exit code 1"), "{results:?}");
    assert!(of(&two).message.contains("exit code 2"), "{results:?}");
    assert!(of(&good).success, "{results:?}");
    assert_eq!(results.len(), 3);
}

fn goal_that_never_ran_has_no_result() {
    assert_eq!(set_setting("max-jobs", "1"), Ok(true));
    let drvs: Vec<_> = (0..4)
        .map(|n| derivation(&format!("{{ name = \"never-{n}\"; script = \"exit 1\"; }}")))
        .collect();
    let results = store().build(&drvs).unwrap();
    // The first failure ends the call; any of the goals can be first.
    assert_eq!(results.len(), 1, "{results:?}");
    assert_eq!(results[0].status, "PermanentFailure");
    assert!(results[0].message.contains("exit code 1"), "{results:?}");
}

fn missing_output_fails_the_build() {
    let result = build(&derivation("{ name = \"nothing\"; script = \"\"; }"));
    assert!(!result.success);
    assert!(
        result.message.contains("failed to produce output path"),
        "{result:?}"
    );
}

fn timeout_fails_the_build() {
    assert_eq!(set_setting("timeout", "1"), Ok(true));
    let result = build(&derivation(
        "{ name = \"slow\"; script = \"while :; do :; done\"; }",
    ));
    assert_eq!(set_setting("timeout", "60"), Ok(true));
    assert_eq!(
        (result.success, result.status.as_str()),
        (false, "TimedOut"),
        "{result:?}"
    );
}

fn invalid_paths_are_refused() {
    let store = store();
    let absent = absent_path("x");
    assert_eq!(store.is_valid(&absent), Ok(false));
    // A path in another store.
    let foreign = path("/nix/store/00000000000000000000000000000000-x");
    let both = std::slice::from_ref(&foreign);
    let mut errors = vec![
        store.build(both).map(drop).unwrap_err(),
        store.query_missing(both).map(drop).unwrap_err(),
        store.build_log(&foreign).map(drop).unwrap_err(),
        store.derivation_outputs(&foreign).map(drop).unwrap_err(),
        store.is_valid(&foreign).map(drop).unwrap_err(),
        store.add_temp_root(&foreign).unwrap_err(),
        store
            .add_root(&foreign, Path::new("/tmp/never"))
            .unwrap_err(),
        store.closure_size(&foreign).map(drop).unwrap_err(),
        store.deriver(&foreign).map(drop).unwrap_err(),
        store.nar_size(&foreign).map(drop).unwrap_err(),
        store.closure(&foreign).map(drop).unwrap_err(),
        store
            .closure_size_beyond(&foreign, None)
            .map(drop)
            .unwrap_err(),
    ];
    // `real_path` takes text, because its argument may be below a store path. These are outside the store.
    for wrong in ["", "/", "/etc/passwd", "relative", foreign.as_str()] {
        errors.push(store.real_path(wrong).unwrap_err());
    }
    let short = folder().join("store/short");
    errors.push(store.real_path(short.to_str().unwrap()).unwrap_err());
    for error in errors {
        assert!(
            error.class == "nix::BadStorePath" || error.message.contains("is not in the Nix store"),
            "{error:?}"
        );
    }
    let error = store.real_path("a\0b").unwrap_err();
    assert!(error.message.contains("NUL"), "{error:?}");
    for error in [
        store.closure_size(&absent).map(drop).unwrap_err(),
        store
            .closure_size_beyond(&absent, None)
            .map(drop)
            .unwrap_err(),
        store.deriver(&absent).map(drop).unwrap_err(),
        store.nar_size(&absent).map(drop).unwrap_err(),
    ] {
        assert_eq!(error.class, "nix::InvalidPath", "{error:?}");
    }
    assert!(store.derivation_outputs(&absent_path("x.drv")).is_err());
    assert_eq!(store.build(&[]), Ok(vec![]));
}

/// Rust ignores SIGPIPE. If a builder inherited that, its processes would get EPIPE instead of being
/// killed when the reader of a pipe exits.
fn builders_start_with_clean_signals() {
    let drv = derivation(
        "{ name = \"signals\"; script = \"while read key value; do case $key in SigIgn:|SigBlk:) echo $key $value;; esac; done < /proc/self/status > $out\"; }",
    );
    let out = build(&drv).outputs.remove(0).1;
    let text = std::fs::read_to_string(out).unwrap();
    let masks: Vec<_> = text
        .lines()
        .map(|line| u64::from_str_radix(&line[8..], 16).unwrap())
        .collect();
    // SIGINT, SIGUSR1, SIGPIPE, SIGTERM and SIGCHLD, except signals that this process itself
    // ignores, for example because nohup started it.
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = u64::from_str_radix(ignored.unwrap().trim(), 16).unwrap();
    let ours = [2, 10, 13, 15, 17]
        .into_iter()
        .fold(0_u64, |mask, signal| mask | 1 << (signal - 1))
        & !ignored;
    assert_eq!(masks.len(), 2, "{text}");
    assert!(masks.iter().all(|mask| mask & ours == 0), "{text}");
}

fn missing_paths_are_listed() {
    let drv = derivation(
        "{ name = \"wanted\"; script = \"echo $needs > $out\"; needs = sh { name = \"needed\"; script = \"echo 1 > $out\"; }; }",
    );
    let store = store();
    let wanted = std::slice::from_ref(&drv);
    let missing = store.query_missing(wanted).unwrap();
    assert_eq!(missing.build.len(), 2, "{missing:?}");
    assert!(missing.build.contains(&drv));
    assert!(
        missing
            .build
            .iter()
            .any(|path| path.as_str().ends_with("-needed.drv")),
        "{missing:?}"
    );
    assert!(missing.fetch.is_empty() && missing.unknown.is_empty());
    assert_eq!((missing.download_bytes, missing.unpacked_bytes), (0, 0));
    build(&drv);
    assert_eq!(
        store.query_missing(wanted),
        Ok(nix_ffi::MissingPaths::default())
    );
    let absent = [absent_path("x")];
    assert_eq!(store.query_missing(&absent).unwrap().unknown, absent);
}

fn root_is_a_registered_link() {
    let out = build(&derivation(
        "{ name = \"rooted\"; script = \"echo 1 > $out\"; }",
    ))
    .outputs
    .remove(0)
    .1;
    // Spaces and invalid UTF-8 are passed unchanged.
    let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"a root \xe4");
    let link = fresh_folder("roots").join("new").join(name);
    store().add_root(&out, &link).unwrap();
    assert_eq!(std::fs::read_link(&link).unwrap(), Path::new(out.as_str()));
    let registered = || {
        std::fs::read_dir(folder().join("var/gcroots/auto"))
            .unwrap()
            .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
            .filter(|target| *target == link)
            .count()
    };
    assert_eq!(registered(), 1);
    // A GC root may be moved to another path, but must not replace another file.
    let other = build(&derivation(
        "{ name = \"other\"; script = \"echo 1 > $out\"; }",
    ))
    .outputs
    .remove(0)
    .1;
    store().add_root(&other, &link).unwrap();
    assert_eq!(
        std::fs::read_link(&link).unwrap(),
        Path::new(other.as_str())
    );
    assert_eq!(registered(), 1);
}

fn invalid_roots_are_refused() {
    let store = store();
    let out = build(&derivation(
        "{ name = \"unrooted\"; script = \"echo 1 > $out\"; }",
    ))
    .outputs
    .remove(0)
    .1;
    let file = fresh_folder("roots").join("a file");
    std::fs::write(&file, "mine").unwrap();
    let error = store.add_root(&out, &file).unwrap_err();
    assert!(error.message.contains("already exists"), "{error:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    for link in ["", "relative"] {
        let error = store.add_root(&out, Path::new(link)).unwrap_err();
        assert_eq!(
            error.message,
            format!("the GC root '{link}' is not an absolute path")
        );
    }
    let inside = folder().join("store/root");
    assert!(
        store
            .add_root(&out, &inside)
            .unwrap_err()
            .message
            .contains("forbidden")
    );
    let absent = renamed(&out, "-unrooted", "-absent");
    let link = file.with_file_name("absent");
    assert_eq!(
        store.add_root(&absent, &link).unwrap_err().class,
        "nix::InvalidPath"
    );
    assert!(!link.exists() && link.read_link().is_err());
}

fn temporary_root_is_registered() {
    let out = build(&derivation(
        "{ name = \"temporary\"; script = \"echo 1 > $out\"; }",
    ))
    .outputs
    .remove(0)
    .1;
    store().add_temp_root(&out).unwrap();
    let file = folder()
        .join("var/temproots")
        .join(std::process::id().to_string());
    let roots = std::fs::read_to_string(file).unwrap();
    let base = Path::new(out.as_str())
        .file_name()
        .unwrap()
        .to_str()
        .unwrap();
    assert!(
        roots.split('\0').any(|root| root.ends_with(base)),
        "{roots:?}"
    );
}

fn closure_and_its_size_are_returned() {
    let drv = derivation(
        "{ name = \"top\"; script = \"echo $below > $out\"; below = sh { name = \"below\"; script = \"printf 0123456789 > $out\"; }; }",
    );
    let out = build(&drv).outputs.remove(0).1;
    let below = path(std::fs::read_to_string(&out).unwrap().trim());
    // The NAR of one file: 112 bytes of framing, and the content padded to eight bytes.
    assert_eq!(store().closure_size(&below), Ok((1, 112 + 16)));
    let mut closure = store().closure(&out).unwrap();
    closure.sort();
    let mut both = [below.clone(), out.clone()];
    both.sort();
    assert_eq!(closure, both);
    let text = std::fs::metadata(&out).unwrap().len();
    assert_eq!(
        store().closure_size(&out),
        Ok((2, 112 + 16 + 112 + text.next_multiple_of(8)))
    );
}

fn real_path_of_a_store_path() {
    let store = store();
    let path = folder().join("store/00000000000000000000000000000000-x");
    assert_eq!(store.real_path(path.to_str().unwrap()), Ok(path.clone()));
    let inside = path.join("bin/x");
    assert_eq!(store.real_path(inside.to_str().unwrap()), Ok(inside));
    let error = store.real_path("/etc/passwd").unwrap_err();
    assert!(
        error.message.contains("is not in the Nix store"),
        "{error:?}"
    );
}

fn deriver_of_a_path() {
    let drv = derivation("{ name = \"made\"; script = \"echo 1 > $out\"; }");
    let out = build(&drv).outputs.remove(0).1;
    assert_eq!(store().deriver(&out), Ok(Some(drv.clone())));
    // A derivation and an added file have no deriver.
    assert_eq!(store().deriver(&drv), Ok(None));
    let file = fresh_folder("added").join("file");
    write(&file, "text");
    let added = store().add_file("file", &file).unwrap();
    assert_eq!(store().deriver(&added), Ok(None));
}

fn nar_size_of_a_path() {
    let below = derivation("{ name = \"ten\"; script = \"printf 0123456789 > $out\"; }");
    let out = build(&below).outputs.remove(0).1;
    // The framing and the padded content of one file, without the rest of the closure.
    assert_eq!(store().nar_size(&out), Ok(112 + 16));
    let above = derivation(
        "{ name = \"above\"; script = \"printf %s $below > $out\"; below = sh { name = \"ten\"; script = \"printf 0123456789 > $out\"; }; }",
    );
    let above = build(&above).outputs.remove(0).1;
    let text = std::fs::metadata(&above).unwrap().len();
    assert_eq!(store().nar_size(&above), Ok(112 + text.next_multiple_of(8)));
    assert_eq!(store().closure_size(&above).unwrap().0, 2);
}

fn files_and_folders_are_added() {
    let store = store();
    let folder = fresh_folder("to add");
    // Spaces and invalid UTF-8 are kept.
    let odd: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"odd \xe4");
    write(&folder.join("deep/er/file"), "text");
    std::fs::write(folder.join(odd), "odd").unwrap();
    std::os::unix::fs::symlink("deep/er/file", folder.join("link")).unwrap();
    let added = store.add_file("tree", &folder).unwrap();
    assert!(added.as_str().ends_with("-tree"), "{added}");
    assert_eq!(store.is_valid(&added), Ok(true));
    let tree = Path::new(added.as_str());
    let read = |name: &Path| std::fs::read_to_string(tree.join(name)).unwrap();
    assert_eq!(read(Path::new("deep/er/file")), "text");
    assert_eq!(read(Path::new(odd)), "odd");
    assert_eq!(
        std::fs::read_link(tree.join("link")).unwrap(),
        Path::new("deep/er/file")
    );
    // The store path depends only on the content and the name.
    assert_eq!(store.add_file("tree", &folder).as_ref(), Ok(&added));
    let other = store.add_file("other", &folder).unwrap();
    assert_ne!(other, added);
    std::fs::write(folder.join("deep/er/file"), "another text").unwrap();
    assert_ne!(store.add_file("tree", &folder).unwrap(), added);
    assert_eq!(read(Path::new("deep/er/file")), "text");
    let file = folder.join(odd);
    let alone = store.add_file("file", &file).unwrap();
    assert_eq!(std::fs::read_to_string(&alone).unwrap(), "odd");
    assert_eq!(store.nar_size(&alone), Ok(112 + 8));
    assert_eq!(store.closure(&alone), Ok(vec![alone.clone()]));
}

fn unsupported_files_are_not_added() {
    let store = store();
    let folder = fresh_folder("not to add");
    write(&folder.join("file"), "text");
    for name in ["", "a/b", "ä", "a b", &"x".repeat(212)] {
        let error = store.add_file(name, &folder.join("file")).unwrap_err();
        assert_eq!(error.class, "nix::BadStorePath", "{name}: {error:?}");
    }
    let nowhere = folder.join("nowhere");
    let error = store.add_file("nowhere", &nowhere).unwrap_err();
    // The class and the words depend on the release.
    assert!(error.class.starts_with("nix::"), "{error:?}");
    assert!(error.message.contains("/nowhere"), "{error:?}");
    // A store can contain only files, folders and symbolic links.
    let socket = folder.join("socket");
    let listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let error = store.add_file("folder", &folder).unwrap_err();
    assert!(
        error.message.contains("socket") && error.message.contains("unsupported type"),
        "{error:?}"
    );
    drop(listening);
    for error in [
        store.add_file("a\0b", &folder).unwrap_err(),
        store.add_file("a", Path::new("a\0b")).unwrap_err(),
    ] {
        assert!(error.message.contains("NUL"), "{error:?}");
    }
}

fn store_serves_many_threads() {
    let outs: Vec<_> = (0..4)
        .map(|n| {
            build(&derivation(&format!(
                "{{ name = \"shared-{n}\"; script = \"echo {n} > $out\"; }}"
            )))
            .outputs
            .remove(0)
            .1
        })
        .collect();
    let store = store();
    let foreign = path("/nix/store/00000000000000000000000000000000-x");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for out in outs.iter().cycle().take(100) {
                    assert_eq!(store.is_valid(out), Ok(true));
                    assert_eq!(store.closure_size(out).unwrap().0, 1);
                    assert!(store.is_valid(&foreign).is_err());
                }
            });
        }
    });
}

fn unusable_store_is_an_error() {
    for url in ["no-such-scheme://x", "unix:///no/such/socket"] {
        // The connection to a daemon is opened on first use.
        if let Ok(store) = nix_ffi::NixStore::open(Some(url)) {
            let path = path("/nix/store/00000000000000000000000000000000-x");
            assert!(store.is_valid(&path).is_err(), "{url}");
        }
    }
}
