//! Flakes: locking them, their data, and their outputs.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests prepare files and start programs"
)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use common::{TestEvaluator, evaluate, fresh_folder, store, string, write};
use nix_ffi::{LockRequest, Locked, LockedFlake, NixError, StorePath, apply};

fn main() -> ExitCode {
    common::main(&common::trials![
        path_flake_is_locked,
        given_lock_is_used_unchanged,
        malformed_given_lock_does_no_harm,
        clean_git_flake_has_a_fingerprint,
        dirty_git_flake_has_a_dirty_revision,
        untracked_files_are_missing,
        flake_in_a_subfolder_is_locked,
        relative_reference_uses_the_base,
        relative_path_input_is_locked,
        input_is_locked_in_memory,
        matching_lock_file_is_used,
        overridden_input_is_used,
        invalid_override_is_refused_or_ignored,
        unlocked_inputs_can_be_refused,
        nixconfig_names_are_listed,
        attributes_can_be_added,
        get_flake_accepts_a_locked_reference,
        missing_flakes_are_errors,
        odd_base_directories_are_errors,
        relative_base_directory_is_refused,
        broken_flakes_are_errors,
        errors_in_outputs_have_positions,
    ])
}

struct LockCase<'a> {
    reference: &'a str,
    base: &'a Path,
    overrides: &'a [(&'a str, &'a str)],
    own_lock: Option<&'a str>,
    allow_unlocked: bool,
}

impl<'a> LockCase<'a> {
    fn of(reference: &'a str) -> Self {
        Self {
            reference,
            base: Path::new("/"),
            overrides: &[],
            own_lock: None,
            allow_unlocked: true,
        }
    }

    fn lock(&self, e: &TestEvaluator) -> Result<Locked, NixError> {
        let overrides: Vec<_> = self
            .overrides
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        let request = LockRequest {
            reference: self.reference,
            base_directory: self.base,
            input_overrides: &overrides,
            lock: self.own_lock,
            allow_unlocked: self.allow_unlocked,
            use_registries: false,
        };
        Locked::lock(&e.state, &request)
    }

    fn locked_flake(&self) -> LockedFlake {
        evaluate(|e| self.lock(e).unwrap().read(&e.state).unwrap())
    }

    fn error(&self) -> NixError {
        evaluate(|e| self.lock(e).map(drop).unwrap_err())
    }
}

fn output(e: &TestEvaluator, locked: &Locked, function: &str) -> Result<String, NixError> {
    let outputs = locked.outputs(&e.state)?;
    apply(&e.state, function, "output.nix", &[&outputs])?.force_json(&e.state)
}

fn flake(name: &str, text: &str) -> PathBuf {
    let folder = fresh_folder(name);
    write(&folder.join("flake.nix"), text);
    folder
}

const SIMPLE: &str =
    "{\n  description = \"a simple one\";\n  outputs = { self }: { value = 40 + 2; };\n}\n";

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Creates a repository with one commit.
fn repository(name: &str, text: &str) -> PathBuf {
    let folder = flake(name, text);
    git(&folder, &["init", "--quiet", "--initial-branch=main"]);
    git(&folder, &["add", "."]);
    git(&folder, &["commit", "--quiet", "--message=one"]);
    folder
}

fn source(locked_flake: &LockedFlake) -> &StorePath {
    locked_flake.source.as_ref().unwrap()
}

fn attribute(locked_flake: &LockedFlake, name: &str) -> Option<String> {
    let attributes: serde_json::Value = serde_json::from_str(&locked_flake.attributes).unwrap();
    attributes
        .get(name)
        .and_then(|value| value.as_str())
        .map(String::from)
}

fn path_flake_is_locked() {
    let folder = flake("simple", SIMPLE);
    let reference = format!("path:{}", folder.display());
    evaluate(|e| {
        let locked = LockCase::of(&reference).lock(e).unwrap();
        let locked_flake = locked.read(&e.state).unwrap();
        assert_eq!(locked_flake.original_url, reference);
        assert_eq!(locked_flake.resolved_url, reference);
        assert!(
            locked_flake
                .locked_url
                .starts_with(&format!("{reference}?lastModified=")),
            "{locked_flake:?}"
        );
        assert!(
            locked_flake.locked_url.contains("&narHash=sha256-"),
            "{locked_flake:?}"
        );
        assert_eq!(attribute(&locked_flake, "type").as_deref(), Some("path"));
        assert_eq!(
            (
                locked_flake.directory.as_str(),
                locked_flake.description.as_str()
            ),
            ("", "a simple one")
        );
        assert_eq!(
            std::fs::read_to_string(Path::new(source(&locked_flake).as_str()).join("flake.nix"))
                .unwrap(),
            SIMPLE
        );
        assert_eq!(store().is_valid(source(&locked_flake)), Ok(true));
        // Older releases have no fingerprint for a tree without a revision.
        assert!(
            locked_flake
                .fingerprint
                .as_deref()
                .is_none_or(is_fingerprint)
        );
        assert_eq!(
            (locked_flake.lock_file.as_str(), locked_flake.lock_changed),
            ("", false)
        );
        let lock: serde_json::Value = serde_json::from_str(&locked_flake.lock).unwrap();
        assert_eq!(lock["root"], "root");
        assert_eq!(locked_flake.config_names, Vec::<String>::new());
        assert_eq!(output(e, &locked, "flake: flake.value").unwrap(), "42");
        let keys = "flake: builtins.filter (name: builtins.substring 0 12 name != \"lastModified\") (builtins.attrNames flake)";
        assert_eq!(
            output(e, &locked, keys).unwrap(),
            r#"["_type","inputs","narHash","outPath","outputs","sourceInfo","value"]"#
        );
    });
}

fn is_fingerprint(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn clean_git_flake_has_a_fingerprint() {
    let folder = repository("clean", SIMPLE);
    let revision = git(&folder, &["rev-parse", "HEAD"]);
    let locked_flake = LockCase::of(&format!("git+file://{}", folder.display())).locked_flake();
    assert!(
        locked_flake.locked_url.contains(&format!("rev={revision}")),
        "{locked_flake:?}"
    );
    assert_eq!(
        attribute(&locked_flake, "rev").as_deref(),
        Some(revision.as_str())
    );
    assert_eq!(attribute(&locked_flake, "dirtyRev"), None);
    let print = locked_flake.fingerprint.clone().unwrap();
    assert!(is_fingerprint(&print), "{print}");
    // Another evaluator returns the same fingerprint. Changed trees below are in other
    // repositories, because libnix caches a working tree until the process ends.
    assert_eq!(
        LockCase::of(&format!("git+file://{}", folder.display()))
            .locked_flake()
            .fingerprint,
        Some(print.clone())
    );
    let twin = repository("twin", SIMPLE);
    assert_eq!(
        LockCase::of(&format!("git+file://{}", twin.display()))
            .locked_flake()
            .fingerprint,
        Some(print.clone())
    );
    let later = repository("later", SIMPLE);
    git(
        &later,
        &["commit", "--quiet", "--allow-empty", "--message=two"],
    );
    assert_ne!(
        LockCase::of(&format!("git+file://{}", later.display()))
            .locked_flake()
            .fingerprint,
        Some(print)
    );
}

fn dirty_git_flake_has_a_dirty_revision() {
    let clean = repository("dirty-0", SIMPLE);
    let clean = LockCase::of(&format!("git+file://{}", clean.display())).locked_flake();
    let revision = attribute(&clean, "rev").unwrap();
    let dirty = |name: &str, value: &str| {
        let folder = repository(name, SIMPLE);
        write(&folder.join("flake.nix"), &SIMPLE.replace("40 + 2", value));
        format!("git+file://{}", folder.display())
    };
    let reference = dirty("dirty-1", "43");
    evaluate(|e| {
        let locked = LockCase::of(&reference).lock(e).unwrap();
        let locked_flake = locked.read(&e.state).unwrap();
        assert_eq!(attribute(&locked_flake, "rev"), None);
        assert_eq!(
            attribute(&locked_flake, "dirtyRev"),
            Some(format!("{revision}-dirty"))
        );
        assert!(locked_flake.fingerprint.is_some());
        assert_ne!(locked_flake.fingerprint, clean.fingerprint);
        assert_ne!(locked_flake.source, clean.source);
        // The flake is evaluated purely, although it has no revision.
        assert_eq!(
            output(e, &locked, "flake: [ flake.value flake.dirtyRev ]").unwrap(),
            format!("[43,\"{revision}-dirty\"]")
        );
        assert_ne!(
            LockCase::of(&dirty("dirty-2", "44"))
                .locked_flake()
                .fingerprint,
            locked_flake.fingerprint
        );
        assert_eq!(
            LockCase::of(&dirty("dirty-3", "43"))
                .locked_flake()
                .fingerprint,
            locked_flake.fingerprint
        );
    });
}

fn untracked_files_are_missing() {
    let value = |name: &str, add: bool| {
        let folder = repository(
            name,
            "{ outputs = { self }: { value = import ./other.nix; }; }",
        );
        write(&folder.join("other.nix"), "1");
        if add {
            git(&folder, &["add", "--intent-to-add", "other.nix"]);
        }
        let reference = format!("git+file://{}", folder.display());
        evaluate(|e| {
            output(
                e,
                &LockCase::of(&reference).lock(e).unwrap(),
                "flake: flake.value",
            )
        })
    };
    let error = value("unknown", false).unwrap_err();
    // Since 2.28, the message says why the file is missing.
    let reasons = ["does not exist", "is not tracked by Git"];
    assert!(
        error.message.contains("other.nix'")
            && reasons.iter().any(|reason| error.message.contains(reason)),
        "{error:?}"
    );
    assert_eq!(value("known", true).unwrap(), "1");
}

fn flake_in_a_subfolder_is_locked() {
    let folder = fresh_folder("folder");
    write(&folder.join("sub/dir/flake.nix"), SIMPLE);
    write(&folder.join("beside"), "x");
    let reference = format!("path:{}?dir=sub/dir", folder.display());
    let locked_flake = LockCase::of(&reference).locked_flake();
    assert_eq!(locked_flake.directory, "sub/dir");
    assert!(
        Path::new(source(&locked_flake).as_str())
            .join("beside")
            .exists(),
        "{locked_flake:?}"
    );
}

fn relative_reference_uses_the_base() {
    let folder = flake("relative", SIMPLE);
    for reference in [".", "./.", "path:./."] {
        let request = LockCase {
            base: &folder,
            ..LockCase::of(reference)
        };
        assert_eq!(
            request.locked_flake().description,
            "a simple one",
            "{reference}"
        );
    }
    let request = LockCase {
        base: folder.parent().unwrap(),
        ..LockCase::of("./relative")
    };
    assert_eq!(
        request.locked_flake().original_url,
        format!("path:{}", folder.display())
    );
}

fn relative_path_input_is_locked() {
    let folder = flake(
        "with-sub",
        "{ inputs.sub.url = \"path:./sub\"; outputs = { self, sub }: { value = sub.value + 1; }; }",
    );
    write(&folder.join("sub/flake.nix"), SIMPLE);
    evaluate(|e| {
        let locked = LockCase::of(&format!("path:{}", folder.display()))
            .lock(e)
            .unwrap();
        let locked_flake = locked.read(&e.state).unwrap();
        assert!(locked_flake.lock_changed);
        let lock: serde_json::Value = serde_json::from_str(&locked_flake.lock).unwrap();
        assert_eq!(lock["nodes"]["sub"]["locked"]["path"], "./sub");
        assert_eq!(output(e, &locked, "flake: flake.value").unwrap(), "43");
    });
}

/// Creates a flake that uses the flake at `input`.
fn user_of(name: &str, input: &str) -> PathBuf {
    let text = format!(
        "{{ inputs.used.url = \"{input}\"; outputs = {{ self, used }}: {{ value = used.value; rev = used.rev or null; }}; }}"
    );
    flake(name, &text)
}

fn input_is_locked_in_memory() {
    let used = repository("used", SIMPLE);
    let revision = git(&used, &["rev-parse", "HEAD"]);
    let folder = user_of("user", &format!("git+file://{}", used.display()));
    evaluate(|e| {
        let locked = LockCase::of(&format!("path:{}", folder.display()))
            .lock(e)
            .unwrap();
        let locked_flake = locked.read(&e.state).unwrap();
        let lock: serde_json::Value = serde_json::from_str(&locked_flake.lock).unwrap();
        assert_eq!(lock["nodes"]["used"]["locked"]["rev"], revision.as_str());
        assert_eq!(
            (locked_flake.lock_file.as_str(), locked_flake.lock_changed),
            ("", true)
        );
        assert!(!folder.join("flake.lock").exists());
        assert_eq!(
            output(e, &locked, "flake: [ flake.value flake.rev ]").unwrap(),
            format!("[42,\"{revision}\"]")
        );
    });
}

fn matching_lock_file_is_used() {
    let used = repository("fitting", SIMPLE);
    let revision = git(&used, &["rev-parse", "HEAD"]);
    let folder = user_of("fits", &format!("git+file://{}", used.display()));
    let reference = format!("path:{}", folder.display());
    let first = LockCase::of(&reference).locked_flake();
    write(&folder.join("flake.lock"), &first.lock);
    git(
        &used,
        &["commit", "--quiet", "--allow-empty", "--message=two"],
    );
    let locked_flake = LockCase::of(&reference).locked_flake();
    // The lock file is used although there is a newer commit.
    assert!(locked_flake.lock.contains(&revision), "{locked_flake:?}");
    assert_eq!(
        (locked_flake.lock_file.as_str(), locked_flake.lock_changed),
        (first.lock.as_str(), false)
    );
    // The formatting of the lock file does not matter.
    let lock: serde_json::Value = serde_json::from_str(&first.lock).unwrap();
    write(&folder.join("flake.lock"), &lock.to_string());
    assert!(!LockCase::of(&reference).locked_flake().lock_changed);
    // A lock file for another input is stale.
    write(
        &folder.join("flake.lock"),
        &first.lock.replace("\"used\"", "\"other\""),
    );
    assert!(LockCase::of(&reference).locked_flake().lock_changed);
    write(&folder.join("flake.lock"), "no json");
    let error = LockCase::of(&reference).error();
    assert!(!error.message.is_empty(), "{error:?}");
}

fn overridden_input_is_used() {
    let used = flake("original", SIMPLE);
    let other = repository("replacement", &SIMPLE.replace("40 + 2", "7"));
    let folder = user_of("overridden", &format!("path:{}", used.display()));
    let to = format!("git+file://{}", other.display());
    evaluate(|e| {
        let reference = format!("path:{}", folder.display());
        let plain = LockCase::of(&reference).lock(e).unwrap();
        assert_eq!(output(e, &plain, "flake: flake.value").unwrap(), "42");
        let request = LockCase {
            overrides: &[("used", &to)],
            ..LockCase::of(&reference)
        };
        let locked = request.lock(e).unwrap();
        let locked_flake = locked.read(&e.state).unwrap();
        assert!(
            locked_flake.lock_changed
                && locked_flake
                    .lock
                    .contains(&git(&other, &["rev-parse", "HEAD"])),
            "{locked_flake:?}"
        );
        assert_eq!(output(e, &locked, "flake: flake.value").unwrap(), "7");
    });
}

/// The flake's own input `n` does not exist, so locking the flake again would fail. In the given
/// lock, the input `up` of `n` follows the flake itself.
fn given_lock_is_used_unchanged() {
    let n = flake(
        "given-n",
        "{ outputs = inputs: { value = inputs.up.word + inputs.same.value; }; }",
    );
    let m = flake("given-m", "{ outputs = _: { value = \"m\"; }; }");
    let folder = flake(
        "given",
        "{ inputs.n.url = \"path:/nowhere\"; outputs = { self, n, m }: { word = \"up \"; value = n.value + m.value; }; }",
    );
    let locked = |folder: &Path| {
        let locked_flake = LockCase::of(&format!("path:{}", folder.display())).locked_flake();
        let hash = attribute(&locked_flake, "narHash").unwrap();
        serde_json::json!({ "type": "path", "path": source(&locked_flake).as_str(), "narHash": hash })
    };
    let (n, m) = (locked(&n), locked(&m));
    let lock = serde_json::json!({ "version": 7, "root": "root", "nodes": {
        "root": { "inputs": { "n": "n", "m": "m" } },
        "n": { "locked": n, "original": n, "inputs": { "up": [], "same": ["m"] } },
        "m": { "locked": m, "original": m },
    }})
    .to_string();
    let reference = format!("path:{}", folder.display());
    let request = LockCase {
        own_lock: Some(&lock),
        allow_unlocked: false,
        ..LockCase::of(&reference)
    };
    evaluate(|e| {
        let locked = request.lock(e).unwrap();
        let value = output(e, &locked, "flake: flake.value").unwrap();
        assert_eq!(value, "\"up mm\"");
        let locked_flake = locked.read(&e.state).unwrap();
        assert!(locked_flake.lock_changed && locked_flake.inputs.is_empty());
    });
}

fn malformed_given_lock_does_no_harm() {
    let folder = flake("given-none", SIMPLE);
    let reference = format!("path:{}", folder.display());
    for lock in [
        "",
        "{}",
        "[]",
        r#"{"version":7,"root":"x","nodes":{}}"#,
        r#"{"version":9}"#,
    ] {
        let request = LockCase {
            own_lock: Some(lock),
            ..LockCase::of(&reference)
        };
        // Some releases read these texts as a lock without inputs, and others fail. No release may
        // crash.
        evaluate(|e| drop(request.lock(e)));
    }
}

fn invalid_override_is_refused_or_ignored() {
    let folder = flake("nothing-to-override", SIMPLE);
    let reference = format!("path:{}", folder.display());
    for name in ["", "/"] {
        let request = LockCase {
            overrides: &[(name, "path:/x")],
            ..LockCase::of(&reference)
        };
        let error = request.error();
        assert_eq!(
            error.message,
            format!("'{name}' is not the name of a flake input")
        );
    }
    // Nix only warns about inputs that do not exist.
    let request = LockCase {
        overrides: &[("none/at/all", "path:/x")],
        ..LockCase::of(&reference)
    };
    assert_eq!(request.locked_flake().description, "a simple one");
    let request = LockCase {
        overrides: &[("a\0b", "path:/x")],
        ..LockCase::of(&reference)
    };
    assert!(request.error().message.contains("NUL"));
}

fn unlocked_inputs_can_be_refused() {
    let used = repository("never-committed", SIMPLE);
    write(&used.join("flake.nix"), &SIMPLE.replace("40 + 2", "1"));
    let folder = user_of("unlocked", &format!("git+file://{}", used.display()));
    let reference = format!("path:{}", folder.display());
    let request = LockCase::of(&reference);
    assert_eq!(request.locked_flake().fingerprint, None);
    // Nix refuses to write such a lock to a file, but allows it in memory. The request can forbid
    // that, too.
    let strict = LockCase {
        allow_unlocked: false,
        ..LockCase::of(&reference)
    };
    let error = strict.error();
    assert!(error.message.contains("unlocked"), "{error:?}");
}

fn nixconfig_names_are_listed() {
    let folder = flake(
        "configured",
        "{ nixConfig = { extra-substituters = [ \"https://x\" ]; allow-dirty = true; }; outputs = { self }: { }; }",
    );
    let locked_flake = LockCase::of(&format!("path:{}", folder.display())).locked_flake();
    assert_eq!(
        locked_flake.config_names,
        ["allow-dirty", "extra-substituters"]
    );
    // The settings are listed, but not applied.
    assert!(
        !nix_ffi::get_setting("substituters")
            .unwrap()
            .unwrap()
            .contains("https://x")
    );
}

fn attributes_can_be_added() {
    let folder = flake("extended", SIMPLE);
    evaluate(|e| {
        let mut locked = LockCase::of(&format!("path:{}", folder.display()))
            .lock(e)
            .unwrap();
        locked.set("dirtyRev", "abc-dirty").unwrap();
        locked.set("dirtyShortRev", "ab-dirty").unwrap();
        let locked_flake = locked.read(&e.state).unwrap();
        assert_eq!(
            attribute(&locked_flake, "dirtyRev").as_deref(),
            Some("abc-dirty")
        );
        assert_eq!(
            output(e, &locked, "flake: [ flake.dirtyRev flake.value ]").unwrap(),
            r#"["abc-dirty",42]"#
        );
        assert!(locked.set("a\0", "b").is_err());
    });
}

fn get_flake_accepts_a_locked_reference() {
    let folder = flake("got", SIMPLE);
    let locked_flake = LockCase::of(&format!("path:{}", folder.display())).locked_flake();
    evaluate(|e| {
        let url = nix_ffi::NixValue::string(&e.state, &locked_flake.locked_url).unwrap();
        let got = apply(
            &e.state,
            "url: (builtins.getFlake url).value",
            "get.nix",
            &[&url],
        )
        .unwrap();
        assert_eq!(got.force_json(&e.state).unwrap(), "42");
        let url = nix_ffi::NixValue::string(&e.state, &locked_flake.original_url).unwrap();
        let error = apply(
            &e.state,
            "url: (builtins.getFlake url).value",
            "get.nix",
            &[&url],
        )
        .unwrap()
        .force_json(&e.state)
        .unwrap_err();
        assert!(
            error
                .message
                .contains("cannot call 'getFlake' on unlocked flake reference"),
            "{error:?}"
        );
    });
}

fn missing_flakes_are_errors() {
    let empty = fresh_folder("empty");
    for (reference, part) in [
        ("path:/no/such/folder".to_owned(), "/no/such/folder"),
        ("/no/such/folder".to_owned(), "/no/such/folder"),
        (format!("path:{}", empty.display()), "flake.nix"),
        (
            "git+file:///no/such/repository".to_owned(),
            "/no/such/repository",
        ),
        ("no-such-flake".to_owned(), "no-such-flake"),
        ("no-such-scheme:x".to_owned(), "no-such-scheme"),
        ("".to_owned(), "flake.nix"),
    ] {
        let request = LockCase {
            base: &empty,
            ..LockCase::of(&reference)
        };
        let error = request.error();
        assert!(
            error.rendered.contains(part) && !error.message.is_empty(),
            "{reference}: {error:?}"
        );
        assert!(!error.class.is_empty(), "{reference}: {error:?}");
    }
}

fn odd_base_directories_are_errors() {
    for reference in [".", "", "./x", "path:.", "path:"] {
        let request = LockCase {
            base: Path::new("/no/such/folder"),
            overrides: &[("a", "")],
            ..LockCase::of(reference)
        };
        assert!(!request.error().message.is_empty(), "{reference}");
    }
}

fn relative_base_directory_is_refused() {
    for base in ["", "relative"] {
        let request = LockCase {
            base: Path::new(base),
            ..LockCase::of(".")
        };
        let message = request.error().message;
        assert!(message.contains("is not absolute"), "{base}: {message}");
    }
}

fn broken_flakes_are_errors() {
    for (name, text, part) in [
        ("syntax", "{ outputs = ; }", "syntax error"),
        ("no-outputs", "{ }", "lacks attribute 'outputs'"),
        ("no-set", "1", "must be an attribute set"),
        (
            "unknown",
            "{ outputs = { self }: { }; other = 1; }",
            "unsupported attribute 'other'",
        ),
        (
            "input",
            "{ inputs.a.uri = \"x\"; outputs = { self, a }: { }; }",
            "unexpected flake input attribute 'uri'",
        ),
    ] {
        let folder = flake(name, text);
        let error = LockCase::of(&format!("path:{}", folder.display())).error();
        let whole = error.rendered.replace('\n', " ");
        assert!(whole.contains(part), "{name}: {whole}");
    }
}

fn errors_in_outputs_have_positions() {
    let folder = flake(
        "failing",
        "{\n  outputs = { self }: {\n    value = 1 + { };\n  };\n}\n",
    );
    evaluate(|e| {
        let locked = LockCase::of(&format!("path:{}", folder.display()))
            .lock(e)
            .unwrap();
        let locked_flake = locked.read(&e.state).unwrap();
        let source = source(&locked_flake).as_str();
        let error = output(e, &locked, "flake: flake.value").unwrap_err();
        let position = error
            .position
            .clone()
            .unwrap_or_else(|| panic!("{error:?}"));
        assert_eq!(position.line, 3);
        assert!(position.file.ends_with("/flake.nix"), "{error:?}");
        assert!(position.file.starts_with(source), "{error:?}");
        // Our own selecting expression is not in a file.
        assert!(
            error
                .traces
                .iter()
                .filter_map(|trace| trace.position.as_ref())
                .all(|p| p.file.is_empty() || p.file.starts_with(source)),
            "{error:?}"
        );
        let json = string(&output(e, &locked, "flake: flake.outPath").unwrap());
        assert_eq!(json, source);
    });
}
