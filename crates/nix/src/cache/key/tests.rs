//! Tests that each changed component changes the key, and that nothing else does.

use std::path::PathBuf;

use super::*;
use crate::evaluation::{ExtraRequest, Target};
use crate::registry::Origin;

fn module(name: &str, file: Option<&str>) -> ModuleRequest {
    ModuleRequest {
        name: name.into(),
        file: file.map(String::from),
        origin: Some(Origin::Option),
    }
}

fn extra(path: &str) -> ExtraRequest {
    ExtraRequest {
        name: "./x.nix".into(),
        path: Some(path.into()),
        flake: None,
        attribute: None,
    }
}

fn request() -> EvaluationRequest {
    EvaluationRequest {
        parts: Default::default(),
        settings: Settings::default(),
        source: EvaluationSource::Flake(FlakeReference {
            url: "/etc/nixos".into(),
            reference: "path:/nix/store/a-source?dir=host&narHash=sha256-a".into(),
            base_directory: PathBuf::from("/"),
            input_overrides: vec![("nixpkgs".into(), "path:/nix/store/n?narHash=b".into())],
            lock: None,
            extra: vec![("dirtyRev".into(), "1-dirty".into())],
        }),
        host: "box".into(),
        modules: vec![module("a", Some("a.nix")), module("b", Some("b.nix"))],
        target: Target::Toplevel,
        extras: Vec::new(),
        specialisation: None,
        overrides: Vec::new(),
        describe: Vec::new(),
        list_options: false,
        expressions: Vec::new(),
        measure: None,
    }
}

fn flake(request: &mut EvaluationRequest) -> &mut FlakeReference {
    match &mut request.source {
        EvaluationSource::Flake(flake) => flake,
        EvaluationSource::File(_) => panic!("expected a flake"),
    }
}

fn inputs(request: &EvaluationRequest) -> KeyComponents {
    KeyComponents {
        settings: vec![("system".into(), "x86_64-linux".into())],
        nix: "2.26.3".into(),
        program: "one".into(),
        ..KeyComponents::new(request, "{}", &["1 + 1"])
    }
}

fn key(change: impl FnOnce(&mut EvaluationRequest)) -> Key {
    let mut request = request();
    change(&mut request);
    inputs(&request).key()
}

/// The name that `differences` returns for a component, and a change to the component.
type InputChange = (&'static str, fn(&mut KeyComponents));

const CHANGES: [InputChange; 20] = [
    ("the source", |i| i.reference.push('x')),
    ("the source", |i| i.extra[0].1.push('x')),
    ("the source", |i| i.extra.clear()),
    ("replaced inputs", |i| i.input_overrides[0].0.push('x')),
    ("replaced inputs", |i| i.input_overrides[0].1.push('x')),
    ("replaced inputs", |i| i.input_overrides.clear()),
    ("the lock", |i| i.lock.push(' ')),
    ("the host", |i| i.host.push('x')),
    ("the modules", |i| i.modules.reverse()),
    ("the modules", |i| drop(i.modules.pop())),
    ("the extra modules", |i| {
        i.extras
            .push(("./x.nix".into(), Some("/nix/store/x-x.nix".into())))
    }),
    ("the extra modules", |i| {
        i.extras
            .push(("./x.nix".into(), Some("/nix/store/y-x.nix".into())))
    }),
    ("the specialisation", |i| {
        i.specialisation = Some("travel".into())
    }),
    ("the option overrides", |i| i.option_overrides.push(' ')),
    ("the store", |i| i.store = Some("daemon".into())),
    ("Nix settings", |i| {
        i.options.push(("cores".into(), String::new()))
    }),
    ("Nix settings", |i| i.settings[0].1.push('x')),
    ("the version of Nix", |i| i.nix.push('x')),
    ("the built-in Nix expressions", |i| {
        i.expressions[0].push(' ')
    }),
    ("this program", |i| i.program.push('x')),
];

#[test]
fn each_component_changes_key_and_is_named() {
    let before = inputs(&request());
    let mut keys = std::collections::BTreeSet::from([before.key().digest]);
    for (index, (name, change)) in CHANGES.iter().enumerate() {
        let mut after = before.clone();
        change(&mut after);
        let key = after.key();
        assert_eq!(
            key.differences(&before.key().parts),
            [*name],
            "change {index}"
        );
        assert!(
            keys.insert(key.digest),
            "change {index} ({name}) gives the same key as another change"
        );
    }
    // There must be a change for each name. A new component needs a new change.
    let named: std::collections::BTreeSet<&str> = CHANGES.iter().map(|(name, _)| *name).collect();
    assert_eq!(named.len(), before.key().parts.len());
}

#[test]
fn text_moved_between_components_changes_key() {
    // The digest separates texts by their lengths, not by a separator.
    let one = KeyComponents {
        nix: "a".into(),
        program: "bc".into(),
        ..KeyComponents::default()
    };
    let other = KeyComponents {
        nix: "ab".into(),
        program: "c".into(),
        ..KeyComponents::default()
    };
    assert_ne!(one.key().digest, other.key().digest);
    assert_ne!(digest(&["a", "bc"]), digest(&["ab", "c"]));
}

#[test]
fn key_depends_on_visible_parts_of_request() {
    let before = key(|_| ());
    let changes: [fn(&mut EvaluationRequest); 15] = [
        |r| r.settings.store = Some("daemon".into()),
        |r| {
            r.settings
                .options
                .push(("system".into(), "i686-linux".into()))
        },
        |r| flake(r).reference.push('x'),
        |r| flake(r).input_overrides[0].1.push('x'),
        |r| flake(r).extra[0].1.push('x'),
        |r| r.host.push('x'),
        |r| r.modules.swap(0, 1),
        |r| drop(r.modules.pop()),
        |r| r.modules[0].name.push('x'),
        |r| r.modules[0].file = Some("x.nix".into()),
        |r| r.modules[0].file = None,
        |r| r.modules[0].origin = Some(Origin::Output),
        |r| r.extras.push(extra("/nix/store/x-x.nix")),
        |r| r.extras.push(extra("/nix/store/y-x.nix")),
        |r| r.specialisation = Some("travel".into()),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        assert_ne!(key(change).digest, before.digest, "change {index}");
    }
}

#[test]
fn key_ignores_parts_invisible_to_evaluation() {
    let before = key(|_| ());
    let changes: [fn(&mut EvaluationRequest); 7] = [
        |r| r.settings.show_trace = true,
        |r| r.settings.verbosity = 9,
        |r| r.settings.allow_import_from_derivation = true,
        |r| r.settings.options.push(("cores".into(), "3".into())),
        |r| flake(r).url.push('x'),
        |r| flake(r).base_directory.push("x"),
        |r| r.target = Target::ToplevelAndBase,
    ];
    for (index, change) in changes.into_iter().enumerate() {
        assert_eq!(key(change), before, "change {index}");
    }
}

#[test]
fn order_of_looked_up_modules_does_not_matter() {
    let looked_up = |names: [&str; 2]| {
        key(|request| request.modules = names.iter().map(|name| module(name, None)).collect())
    };
    assert_eq!(looked_up(["a", "b"]), looked_up(["b", "a"]));
}

#[test]
fn unlocked_request_is_not_cached() {
    let why = |change: fn(&mut EvaluationRequest)| {
        let mut request = request();
        change(&mut request);
        why_not(&request)
    };
    assert_eq!(why(|_| ()), None);
    assert!(why(|r| flake(r).reference = "path:/nix/store/a-source".into()).is_some());
    assert!(why(|r| flake(r).reference = "git+file:///etc/nixos?narHash=x".into()).is_some());
    let of_a_flake = |r: &mut EvaluationRequest| {
        r.extras.push(ExtraRequest {
            path: None,
            ..extra("")
        });
    };
    assert!(why(of_a_flake).is_some());
}

#[test]
fn impure_settings_are_not_cached() {
    let why = |pure: &str, native: &str| {
        why_not_with(&[
            ("pure-eval".into(), pure.into()),
            (
                "allow-unsafe-native-code-during-evaluation".into(),
                native.into(),
            ),
        ])
    };
    assert_eq!(why("true", "false"), None);
    assert!(why("false", "false").is_some());
    assert!(why("true", "true").is_some());
    assert!(why_not_with(&[]).is_some(), "a missing setting is not safe");
}

#[test]
fn lock_with_unlocked_input_is_not_cached() {
    let lock = |node: &str| {
        format!(r#"{{"root":"root","nodes":{{"root":{{"inputs":{{"a":"a"}}}},"a":{node}}}}}"#)
    };
    let kept = |node: &str| may_be_kept(&lock(node), false, &[]).is_ok();
    assert!(kept(
        r#"{"locked":{"type":"path","path":"/x","narHash":"sha256-a"}}"#
    ));
    assert!(kept(
        r#"{"locked":{"type":"git","rev":"0123456789012345678901234567890123456789"}}"#
    ));
    assert!(kept(
        r#"{"locked":{"type":"path","path":"./sub"},"parent":[]}"#
    ));
    for unlocked in [
        r#"{"locked":{"type":"path","path":"/x"}}"#,
        r#"{"locked":{"type":"path","path":"/x"},"parent":[]}"#,
        r#"{"locked":{"type":"git","rev":"main"}}"#,
        r#"{"locked":{"type":"github","rev":"0123456789012345678901234567890123456789"}}"#,
        r#"{"locked":{"type":"tarball","url":"https://x"}}"#,
        "{}",
    ] {
        assert!(!kept(unlocked), "{unlocked}");
    }
    assert!(may_be_kept("", false, &[]).is_err());
    let good = lock(r#"{"locked":{"narHash":"sha256-a"}}"#);
    assert!(may_be_kept(&good, true, &[]).is_err());
    assert!(may_be_kept(&good, true, &[("a".into(), "b".into())]).is_ok());
}
