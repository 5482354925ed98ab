//! Values: applying, selecting and forcing them; and errors as data.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests prepare files and start programs"
)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::process::ExitCode;

use common::{absent_path, evaluate, evaluate_with, fresh_folder, on_a_thread, path, write};
use nix_ffi::{EvaluatorBuilder, NixValue, apply};

fn main() -> ExitCode {
    common::main(&common::trials![
        every_kind_of_value_becomes_json,
        apply_takes_arguments_in_order,
        apply_is_lazy,
        any_expression_name_is_accepted,
        select_returns_attribute_or_none,
        select_requires_a_set,
        strings_are_passed_unchanged,
        nul_bytes_are_errors,
        values_outlive_collections,
        values_outlive_another_evaluator,
        foreign_value_is_refused,
        lists_hold_their_values_lazily,
        store_path_can_be_read_purely,
        invalid_store_paths_are_refused,
        throw_keeps_its_message,
        type_error_has_a_position,
        undefined_variable_has_a_position,
        syntax_error_has_a_position,
        infinite_recursion_has_a_position,
        missing_attribute_has_a_suggestion,
        assertion_has_a_position,
        abort_keeps_its_message,
        functions_have_no_json,
        traces_are_ordered,
        error_does_not_leak_into_the_next,
        import_from_derivation_is_refused,
        counters_can_be_printed,
    ])
}

fn every_kind_of_value_becomes_json() {
    evaluate(|e| {
        let json = e.json("{ i = -3; f = 1.5; s = \"ä\\n\"; b = true; n = null; l = [ 1 [ ] ]; s2 = { __toString = _: \"x\"; }; }");
        assert_eq!(
            json.unwrap(),
            r#"{"b":true,"f":1.5,"i":-3,"l":[1,[]],"n":null,"s":"ä\n","s2":"x"}"#
        );
        assert_eq!(
            e.json("9223372036854775807").unwrap(),
            "9223372036854775807"
        );
        // The path is not copied to the store.
        assert_eq!(e.json("/some/where").unwrap(), "\"/some/where\"");
    });
}

fn apply_takes_arguments_in_order() {
    evaluate(|e| {
        let text = |text| NixValue::string(&e.state, text).unwrap();
        let applied = apply(
            &e.state,
            "a: b: c: a + \"-\" + b + \"-\" + c",
            "f.nix",
            &[&text("1"), &text("2"), &text("3")],
        );
        assert_eq!(applied.unwrap().force_json(&e.state).unwrap(), "\"1-2-3\"");
    });
}

fn apply_is_lazy() {
    evaluate(|e| {
        let argument = e.value("throw \"the argument\"");
        // The text itself is evaluated immediately, but the application is not.
        assert!(argument.is_err());
        let text = NixValue::string(&e.state, "x").unwrap();
        let applied = apply(
            &e.state,
            "x: throw \"the body with ${x}\"",
            "f.nix",
            &[&text],
        )
        .unwrap();
        for _ in 0..2 {
            assert_eq!(
                applied.force_json(&e.state).unwrap_err().message,
                "the body with x"
            );
        }
        // An attribute can still be selected after the whole set has been forced.
        let set = apply(&e.state, "x: { a = x; b = [ x x ]; }", "f.nix", &[&text]).unwrap();
        assert_eq!(
            set.force_json(&e.state).unwrap(),
            r#"{"a":"x","b":["x","x"]}"#
        );
        assert_eq!(
            set.select(&e.state, "b")
                .unwrap()
                .unwrap()
                .force_json(&e.state)
                .unwrap(),
            r#"["x","x"]"#
        );
    });
}

/// A `..` or a slash in a path component would fail an assertion in libnix, which aborts the
/// process.
fn any_expression_name_is_accepted() {
    evaluate(|e| {
        for name in ["a.nix", "a/b.nix", "..", "", "/", "../../x", "ä b"] {
            assert_eq!(
                apply(&e.state, "1 + 1", name, &[])
                    .unwrap()
                    .force_json(&e.state)
                    .unwrap(),
                "2",
                "{name}"
            );
        }
    });
}

fn select_returns_attribute_or_none() {
    evaluate(|e| {
        let set = e
            .value("{ a = { b = 1 + 1; }; \"with space\" = 2; bad = throw \"no\"; }")
            .unwrap();
        let a = set.select(&e.state, "a").unwrap().unwrap();
        assert_eq!(
            a.select(&e.state, "b")
                .unwrap()
                .unwrap()
                .force_json(&e.state)
                .unwrap(),
            "2"
        );
        assert!(set.select(&e.state, "with space").unwrap().is_some());
        assert!(set.select(&e.state, "c").unwrap().is_none());
        assert!(set.select(&e.state, "").unwrap().is_none());
        let error = set.select(&e.state, "bad").map(drop).unwrap_err();
        assert_eq!(
            (error.class.as_str(), error.message.as_str()),
            ("nix::ThrownError", "no")
        );
        // The set is still usable after an error.
        assert!(set.select(&e.state, "a").unwrap().is_some());
    });
}

fn select_requires_a_set() {
    evaluate(|e| {
        for (text, what) in [
            ("1", "an integer"),
            ("\"s\"", "a string"),
            ("[ ]", "a list"),
            ("x: x", "a function"),
        ] {
            let error = e
                .value(text)
                .unwrap()
                .select(&e.state, "a")
                .map(drop)
                .unwrap_err();
            assert_eq!(error.class, "nix::TypeError");
            assert!(
                error
                    .message
                    .starts_with(&format!("expected a set but found {what}")),
                "{error:?}"
            );
        }
    });
}

fn strings_are_passed_unchanged() {
    evaluate(|e| {
        for text in [
            "",
            "ä€𝄞",
            "${builtins.abort \"x\"}",
            "''\\\"\n\t\r",
            &"x".repeat(1 << 20),
        ] {
            let value = NixValue::string(&e.state, text).unwrap();
            assert_eq!(common::string(&value.force_json(&e.state).unwrap()), text);
        }
    });
}

fn nul_bytes_are_errors() {
    evaluate(|e| {
        let set = e.value("{ }").unwrap();
        for error in [
            NixValue::string(&e.state, "a\0b").map(drop).unwrap_err(),
            set.select(&e.state, "a\0b").map(drop).unwrap_err(),
            e.value("1\0").map(drop).unwrap_err(),
            apply(&e.state, "1", "a\0", &[]).map(drop).unwrap_err(),
        ] {
            assert!(error.message.contains("NUL"), "{error:?}");
        }
    });
}

fn values_outlive_collections() {
    evaluate(|e| {
        let kept = e
            .value("{ deep = builtins.genList (n: { inherit n; }) 1000; }")
            .unwrap();
        let deep = kept.select(&e.state, "deep").unwrap().unwrap();
        drop(kept);
        // Create far more garbage than the collector's initial heap can hold without a collection.
        for _ in 0..20 {
            e.json("builtins.length (builtins.genList (n: { a = toString n; }) 300000)")
                .unwrap();
            e.json("builtins.foldl' (a: n: a + builtins.stringLength (toString n)) 0 (builtins.genList (n: n) 300000)").unwrap();
        }
        let json = deep.force_json(&e.state).unwrap();
        assert!(json.starts_with(r#"[{"n":0},{"n":1},"#) && json.ends_with(r#"{"n":999}]"#));
    });
}

fn values_outlive_another_evaluator() {
    evaluate(|e| {
        let value = NixValue::string(&e.state, "x").unwrap();
        // Another evaluator starts and ends on its own thread while `value` exists.
        on_a_thread(|| {
            evaluate(|inner| {
                drop(inner.value("{ a = 1; }").unwrap());
            });
        });
        assert_eq!(value.force_json(&e.state).unwrap(), "\"x\"");
    });
}

fn foreign_value_is_refused() {
    evaluate(|e| {
        let value = e.value("{ a = 1; }").unwrap();
        let list = NixValue::list(&e.state, &[&value]).unwrap();
        let other = EvaluatorBuilder::new(&common::store()).unwrap();
        let state = other.build().unwrap();
        for error in [
            value.select(&state, "a").map(drop).unwrap_err(),
            value.force_json(&state).map(drop).unwrap_err(),
            apply(&state, "x: x", "f.nix", &[&value])
                .map(drop)
                .unwrap_err(),
            NixValue::list(&state, &[&value]).map(drop).unwrap_err(),
            list.force_json(&state).map(drop).unwrap_err(),
        ] {
            assert_eq!(
                error.message,
                "a value was used with an evaluator other than its own"
            );
        }
        drop(state);
        assert_eq!(value.force_json(&e.state).unwrap(), r#"{"a":1}"#);
    });
}

fn lists_hold_their_values_lazily() {
    evaluate(|e| {
        let json = |values: &[&NixValue]| {
            let list = NixValue::list(&e.state, values).unwrap();
            list.force_json(&e.state)
        };
        assert_eq!(json(&[]).unwrap(), "[]");
        let (one, text) = (
            e.value("1").unwrap(),
            NixValue::string(&e.state, "two").unwrap(),
        );
        // Nix stores lists of up to two elements in the value itself, and longer ones elsewhere.
        assert_eq!(json(&[&one]).unwrap(), "[1]");
        assert_eq!(json(&[&one, &text]).unwrap(), r#"[1,"two"]"#);
        assert_eq!(
            json(&[&one, &text, &one, &one]).unwrap(),
            r#"[1,"two",1,1]"#
        );
        let inner = NixValue::list(&e.state, &[&one, &text]).unwrap();
        let outer = NixValue::list(&e.state, &[&inner, &inner]).unwrap();
        // A list keeps its elements alive.
        drop((inner, one, text));
        let text = "list: map (one: builtins.length one) list ++ builtins.elemAt list 1";
        let applied = apply(&e.state, text, "f.nix", &[&outer]).unwrap();
        assert_eq!(applied.force_json(&e.state).unwrap(), r#"[2,2,1,"two"]"#);
        // Elements are forced only when they are used.
        let bad = apply(&e.state, "x: throw \"bad\"", "f.nix", &[&outer]).unwrap();
        let list = NixValue::list(&e.state, &[&bad, &outer]).unwrap();
        let length = apply(&e.state, "builtins.length", "f.nix", &[&list]).unwrap();
        assert_eq!(length.force_json(&e.state).unwrap(), "2");
        let error = list.force_json(&e.state).unwrap_err();
        assert_eq!(
            (error.class.as_str(), error.message.as_str()),
            ("nix::ThrownError", "bad")
        );
        assert_eq!(
            list.select(&e.state, "a").map(drop).unwrap_err().class,
            "nix::TypeError"
        );
    });
}

fn store_path_can_be_read_purely() {
    let folder = fresh_folder("a source");
    write(&folder.join("default.nix"), "{ a = import ./b.nix; }");
    write(&folder.join("b.nix"), "1 + 1");
    let source = common::store().add_file("a-source", &folder).unwrap();
    // Pure evaluation can read only store paths that it was given.
    evaluate_with(&[("pure-eval", "true")], |e| {
        let text = NixValue::string(&e.state, source.as_str()).unwrap();
        let read = |value: &NixValue| {
            apply(&e.state, "path: import path", "f.nix", &[value])
                .unwrap()
                .force_json(&e.state)
        };
        let error = read(&text).unwrap_err();
        assert!(error.message.contains("forbidden in pure"), "{error:?}");
        let path = NixValue::store_path(&e.state, &source).unwrap();
        assert_eq!(read(&path).unwrap(), r#"{"a":2}"#);
        let kind = apply(&e.state, "builtins.typeOf", "f.nix", &[&path]).unwrap();
        assert_eq!(kind.force_json(&e.state).unwrap(), "\"path\"");
        let below = apply(
            &e.state,
            "path: import (path + \"/b.nix\")",
            "f.nix",
            &[&path],
        );
        assert_eq!(below.unwrap().force_json(&e.state).unwrap(), "2");
        let out = apply(&e.state, "path: path + \"/../../etc\"", "f.nix", &[&path]).unwrap();
        assert!(read(&out).is_err());
    });
}

fn invalid_store_paths_are_refused() {
    evaluate(|e| {
        // A path in another store.
        let foreign = path("/nix/store/00000000000000000000000000000000-x");
        let error = NixValue::store_path(&e.state, &foreign)
            .map(drop)
            .unwrap_err();
        assert_eq!(error.class, "nix::BadStorePath", "{error:?}");
        // A missing path is reported when it is read.
        let path = NixValue::store_path(&e.state, &absent_path("x")).unwrap();
        let read = apply(&e.state, "path: import path", "f.nix", &[&path]).unwrap();
        let error = read.force_json(&e.state).unwrap_err();
        assert!(
            error.message.contains("00000000000000000000000000000000-x"),
            "{error:?}"
        );
    });
}

/// Evaluates `text` as a file, so that it has positions. Returns the error, which must be at `line`
/// and `column`.
fn error_at(text: &str, line: u32, column: u32) -> nix_ffi::NixError {
    let file = fresh_folder("errors").join("error.nix");
    write(&file, text);
    let error = evaluate_with(&[("pure-eval", "false")], |e| {
        let path = NixValue::string(&e.state, file.to_str().unwrap()).unwrap();
        apply(&e.state, "import", "import.nix", &[&path])
            .unwrap()
            .force_json(&e.state)
            .unwrap_err()
    });
    let position = error
        .position
        .as_ref()
        .unwrap_or_else(|| panic!("no position: {error:?}"));
    assert_eq!(
        (position.file.as_str(), position.line, position.column),
        (file.to_str().unwrap(), line, column),
        "{error:?}"
    );
    assert!(error.rendered.starts_with("error:"), "{error:?}");
    assert!(
        !error.rendered.contains('\u{1b}') && !error.message.contains('\u{1b}'),
        "{error:?}"
    );
    assert_eq!((error.level, error.interrupted), (0, false));
    error
}

fn throw_keeps_its_message() {
    // Nix reports no position for `throw` itself. The position is in the trace.
    let error = evaluate(|e| e.error("throw \"one\\ntwo\""));
    assert_eq!(
        (error.class.as_str(), error.message.as_str()),
        ("nix::ThrownError", "one\ntwo")
    );
    assert!(
        error
            .traces
            .iter()
            .any(|trace| trace.hint.contains("while calling the 'throw' builtin")),
        "{error:?}"
    );
}

fn type_error_has_a_position() {
    let error = error_at("\n  1 + \"a\"\n", 2, 7);
    assert_eq!(
        (error.class.as_str(), error.message.as_str()),
        ("nix::EvalError", "cannot add a string to an integer")
    );
}

fn undefined_variable_has_a_position() {
    let error = error_at("{\n  a = [ 1 nowhere ];\n}\n", 2, 11);
    assert_eq!(
        (error.class.as_str(), error.message.as_str()),
        ("nix::UndefinedVarError", "undefined variable 'nowhere'")
    );
    assert!(error.rendered.contains("a = [ 1 nowhere ];"), "{error:?}");
}

fn syntax_error_has_a_position() {
    let error = error_at("{\n  a = ;\n}\n", 2, 7);
    assert_eq!(
        (error.class.as_str(), error.message.as_str()),
        ("nix::ParseError", "syntax error, unexpected ';'")
    );
}

fn infinite_recursion_has_a_position() {
    let error = error_at("let\n  x = x;\nin x\n", 2, 7);
    assert_eq!(error.class, "nix::InfiniteRecursionError");
    assert_eq!(error.message, "infinite recursion encountered");
}

fn missing_attribute_has_a_suggestion() {
    let error = error_at("let s = { abc = 1; };\nin s.abd\n", 2, 4);
    assert_eq!(error.message, "attribute 'abd' missing");
    assert_eq!(error.class, "nix::EvalError");
    // Suggestions are part of the rendered text.
    assert!(error.rendered.contains("Did you mean abc?"), "{error:?}");
}

fn assertion_has_a_position() {
    let error = error_at("# here\nassert false; 3\n", 2, 1);
    assert_eq!(
        (error.class.as_str(), error.message.as_str()),
        ("nix::AssertionError", "assertion 'false' failed")
    );
}

fn abort_keeps_its_message() {
    let error = evaluate(|e| e.error("abort \"enough\""));
    assert_eq!(error.class, "nix::Abort");
    assert!(error.message.contains("'enough'"), "{error:?}");
}

fn functions_have_no_json() {
    let error = evaluate(|e| e.error("{ f = x: x; }"));
    assert_eq!(error.class, "nix::TypeError");
    assert!(
        error
            .message
            .starts_with("cannot convert a function to JSON"),
        "{error:?}"
    );
    // A string that is not UTF-8 cannot be JSON; that error is not a Nix exception.
    let file = fresh_folder("errors").join("latin");
    std::fs::write(&file, [0xe4]).unwrap();
    let error = evaluate_with(&[("pure-eval", "false")], |e| {
        e.error(&format!("builtins.readFile \"{}\"", file.display()))
    });
    assert!(error.message.contains("UTF-8"), "{error:?}");
    assert_ne!(error.class, "");
}

fn traces_are_ordered() {
    let text = "let\n  f = x: builtins.addErrorContext \"while doing ${x}\" (1 + x);\n  g = x: f x;\nin g \"it\"\n";
    // Nix records calls only if `show-trace` is set.
    assert_eq!(nix_ffi::set_setting("show-trace", "true"), Ok(true));
    let error = error_at(text, 2, 59);
    assert_eq!(nix_ffi::set_setting("show-trace", "false"), Ok(true));
    let hints: Vec<_> = error
        .traces
        .iter()
        .map(|trace| trace.hint.as_str())
        .collect();
    let at = |part: &str| {
        hints
            .iter()
            .position(|hint| hint.contains(part))
            .unwrap_or_else(|| panic!("no {part}: {hints:?}"))
    };
    // The innermost step comes last.
    assert!(
        at("while calling 'g'") < at("while calling 'f'"),
        "{hints:?}"
    );
    assert!(at("while calling 'f'") < at("while doing it"), "{hints:?}");
    let call = error.traces[at("while calling 'f'")]
        .position
        .as_ref()
        .unwrap();
    // The position is that of the definition; the call site is another step.
    assert_eq!((call.line, call.column), (2, 7), "{error:?}");
}

fn error_does_not_leak_into_the_next() {
    evaluate(|e| {
        let whole = e.error("{ }.a");
        assert!(!whole.traces.is_empty() || whole.position.is_some());
        // An error from this crate does not contain parts of an earlier Nix error.
        let ours = NixValue::string(&e.state, "\0").map(drop).unwrap_err();
        assert_eq!(
            (ours.class.as_str(), ours.position, ours.traces.len()),
            ("", None, 0)
        );
        assert_eq!(e.json("1").unwrap(), "1");
    });
}

fn import_from_derivation_is_refused() {
    let options = [
        ("pure-eval", "true"),
        ("allow-import-from-derivation", "false"),
    ];
    evaluate_with(&options, |e| {
        let drv = e.derivation("{ name = \"ifd\"; script = \"echo 1 > $out\"; }");
        let text = "drv: import (builtins.outputOf (import drv) \"out\")";
        let path = NixValue::string(&e.state, drv.as_str()).unwrap();
        assert!(
            apply(&e.state, text, "ifd.nix", &[&path])
                .unwrap()
                .force_json(&e.state)
                .is_err()
        );
        let error = e.error(&format!(
            "import (derivation {{ name = \"ifd\"; system = \"{}-linux\"; builder = \"/bin/sh\"; args = [ \"-c\" \"echo 1 > $out\" ]; }})",
            std::env::consts::ARCH
        ));
        assert!(
            error.message.contains("allow-import-from-derivation"),
            "{error:?}"
        );
    });
}

fn counters_can_be_printed() {
    evaluate(|e| {
        nix_ffi::enable_counters();
        // The counters are printed to stderr by default; the test only checks that printing
        // succeeds.
        nix_ffi::print_counters(&e.state).unwrap();
    });
}
