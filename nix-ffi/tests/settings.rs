//! Versions, and settings of the process and of evaluators.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests prepare files and start programs"
)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::process::ExitCode;

use common::{evaluate, evaluate_with};
use nix_ffi::{get_setting, set_setting, versions};

fn main() -> ExitCode {
    common::main(&common::trials![
        versions_agree,
        known_setting_is_set,
        unknown_setting_is_reported,
        bad_value_is_an_error,
        nul_bytes_are_errors,
        evaluator_has_its_own_settings,
        evaluators_do_not_share_settings,
        flakes_are_registered_once,
    ])
}

fn versions_agree() {
    let found = versions();
    assert!(found.agree(), "{found:?}");
    assert!(found.compiled.starts_with("2."), "{found:?}");
    evaluate(|e| {
        assert_eq!(
            e.json("builtins.nixVersion").unwrap(),
            format!("\"{}\"", found.running)
        )
    });
}

fn known_setting_is_set() {
    assert_eq!(set_setting("max-jobs", "3"), Ok(true));
    assert_eq!(get_setting("max-jobs").unwrap().as_deref(), Some("3"));
    assert_eq!(
        set_setting("extra-system-features", "one-of-ours"),
        Ok(true)
    );
    assert!(
        get_setting("system-features")
            .unwrap()
            .unwrap()
            .contains("one-of-ours")
    );
}

fn unknown_setting_is_reported() {
    assert_eq!(set_setting("no-such-setting", "1"), Ok(false));
    assert_eq!(get_setting("no-such-setting"), Ok(None));
    // Evaluation settings belong to an evaluator, not to the process.
    assert_eq!(set_setting("pure-eval", "true"), Ok(false));
}

fn bad_value_is_an_error() {
    let before = get_setting("cores").unwrap();
    let error = set_setting("cores", "many").unwrap_err();
    assert_eq!(error.class, "nix::UsageError");
    assert!(
        error
            .message
            .contains("setting 'cores' has invalid value 'many'"),
        "{error:?}"
    );
    assert!(error.rendered.starts_with("error: "), "{error:?}");
    assert!(!error.interrupted);
    assert_eq!(get_setting("cores").unwrap(), before);
    let error = set_setting("sandbox", "perhaps").unwrap_err();
    assert!(error.message.contains("'perhaps'"), "{error:?}");
}

fn nul_bytes_are_errors() {
    for error in [
        set_setting("co\0res", "1").unwrap_err(),
        set_setting("cores", "1\0").unwrap_err(),
        get_setting("\0").unwrap_err(),
    ] {
        assert!(error.message.contains("NUL"), "{error:?}");
        assert_eq!(error.class, "");
    }
}

fn evaluator_has_its_own_settings() {
    let options = [
        ("pure-eval", "true"),
        ("allow-import-from-derivation", "false"),
        ("max-call-depth", "100"),
        ("accept-flake-config", "true"),
        ("tarball-ttl", "7"),
    ];
    evaluate_with(&options, |e| {
        let error = e.error("builtins.readFile \"/etc/hostname\"");
        assert_eq!(error.class, "nix::RestrictedPathError");
        assert!(
            error.message.contains("access to absolute path"),
            "{error:?}"
        );
        let error = e.error("let f = n: if n == 0 then 0 else 1 + f (n - 1); in f 1000");
        assert!(
            error.message.contains("max-call-depth exceeded"),
            "{error:?}"
        );
        assert_eq!(e.json("builtins ? currentTime").unwrap(), "false");
    });
}

fn evaluators_do_not_share_settings() {
    evaluate(|pure| {
        evaluate_with(&[("pure-eval", "false")], |impure| {
            assert_eq!(impure.json("builtins ? currentSystem").unwrap(), "true");
        });
        assert_eq!(pure.json("builtins ? currentSystem").unwrap(), "false");
    });
}

fn flakes_are_registered_once() {
    let count = "builtins.length (builtins.filter (name: name == \"getFlake\") (builtins.attrNames builtins))";
    for _ in 0..2 {
        evaluate(|e| assert_eq!(e.json(count).unwrap(), "1"));
    }
}
