use serde_json::{Map, Value, json};

use super::super::diff;
use super::*;
use crate::error::Failure;
use crate::overrides::{Generation, state_at};

fn path(text: &str) -> Vec<String> {
    crate::attributes::parse(text).expect("a path")
}

fn replace(at: &str, value: Value) -> Definition {
    Definition {
        path: path(at),
        value,
        mode: Mode::Replace,
        ..Definition::default()
    }
}

fn merge(at: &str, value: Value) -> Definition {
    Definition {
        mode: Mode::Merge,
        ..replace(at, value)
    }
}

fn set(definitions: &[Definition]) -> Edit {
    let definitions = definitions.to_vec();
    Edit::Set { definitions }
}

fn unset(paths: &[&str]) -> Edit {
    Edit::Unset {
        paths: paths.iter().map(|text| path(text)).collect(),
    }
}

/// Applies definitions, each as a separate generation.
fn state(definitions: &[Definition]) -> OverrideState {
    definitions
        .iter()
        .fold(OverrideState::default(), |state, one| {
            let number = state.generation + 1;
            state
                .apply(&set(std::slice::from_ref(one)), number)
                .expect("applied")
        })
}

fn refused(state: &OverrideState, edit: &Edit) -> (String, Vec<String>) {
    let failed = state
        .apply(edit, state.generation + 1)
        .expect_err("refused");
    assert_eq!(failed.failure, Failure::Usage);
    (failed.message, failed.hints)
}

/// Returns the path, value, priority and generation of each definition.
fn shown(state: &OverrideState) -> Vec<(String, Value, Option<i64>, u64)> {
    let one = |one: &Definition| {
        (
            written(&one.path),
            one.value.clone(),
            one.priority,
            one.generation,
        )
    };
    state.definitions.iter().map(one).collect()
}

#[test]
fn priorities_are_stronger_than_all_before() {
    let state = state(&[
        replace("a", json!(1)),
        replace("b", json!(1)),
        Definition {
            priority: Some(-9),
            ..replace("c", json!(1))
        },
        replace("a", json!(2)),
        Definition {
            priority: Some(40),
            ..replace("d", json!(1))
        },
    ]);
    assert_eq!(
        shown(&state),
        [
            ("b".into(), json!(1), Some(-2), 2),
            ("c".into(), json!(1), Some(-9), 3),
            ("a".into(), json!(2), Some(-10), 4),
            ("d".into(), json!(1), Some(40), 5),
        ]
    );
    let weak = OverrideState::default();
    let weak = weak.apply(
        &set(&[Definition {
            priority: Some(40),
            ..replace("d", json!(1))
        }]),
        1,
    );
    let weak = weak
        .expect("applied")
        .apply(&set(&[replace("d", json!(2))]), 2)
        .expect("applied");
    assert_eq!(weak.definitions[0].priority, Some(-1));
}

#[test]
fn explicit_priority_must_be_the_strongest() {
    let before = state(&[replace("a", json!(1))]);
    for own in [-1, 0, 60] {
        let edit = set(&[Definition {
            priority: Some(own),
            ..replace("a", json!(2))
        }]);
        let (message, hints) = refused(&before, &edit);
        assert_eq!(
            message,
            format!("cannot set a at priority {own}: the existing override has priority -1")
        );
        assert_eq!(
            hints,
            ["use --priority=-2 or a smaller number, or omit --priority"]
        );
    }
    let strongest = Definition {
        priority: Some(i64::MIN),
        ..replace("a", json!(2))
    };
    let last = before.apply(&set(&[strongest]), 2).expect("applied");
    let (message, hints) = refused(&last, &set(&[replace("b", json!(1))]));
    assert!(message.starts_with("cannot set b: the override of a has the strongest possible"));
    assert!(hints[0].contains("runtime-module unset a"), "{hints:?}");
    let edit = set(&[Definition {
        priority: Some(-1),
        ..merge("a", json!(2))
    }]);
    let (message, _) = refused(&last, &edit);
    assert!(
        message.starts_with("cannot merge into a at priority -1: "),
        "{message}"
    );
}

#[test]
fn replacing_drops_definitions_below_the_path() {
    let state = state(&[
        replace("a.b.c", json!(1)),
        merge("a.d", json!([1])),
        replace("a.bc", json!(2)),
        merge("a", json!({})),
        replace("a.b", json!({"x": 1})),
    ]);
    let paths: Vec<String> = state
        .definitions
        .iter()
        .map(|one| written(&one.path))
        .collect();
    assert_eq!(paths, ["a.d", "a.bc", "a", "a.b"]);
    let state = state
        .apply(&set(&[replace("a", json!(null))]), 6)
        .expect("applied");
    assert_eq!(shown(&state), [("a".into(), json!(null), Some(-4), 6)]);
}

#[test]
fn definition_below_ancestor_is_nested_in_its_value() {
    let state = state(&[
        replace(
            "hosts",
            json!({"a": {"root": 1, "list": [1], "sub": {"x": 1}}}),
        ),
        replace("other", json!(1)),
        replace("hosts.a.root", json!(2)),
        replace("hosts.\"b.c\".root", json!(3)),
        merge("hosts.a.list", json!([2])),
        merge("hosts.a.sub", json!({"x": 2, "y": [1]})),
        merge("hosts.a.new", json!("text")),
    ]);
    let value = json!({
        "a": {"root": 2, "list": [1, 2], "sub": {"x": 2, "y": [1]}, "new": "text"},
        "b.c": {"root": 3},
    });
    assert_eq!(
        shown(&state),
        [
            ("hosts".into(), value, Some(-1), 7),
            ("other".into(), json!(1), Some(-2), 2),
        ]
    );
}

#[test]
fn path_cannot_lead_below_a_plain_value() {
    let state = state(&[replace(
        "a",
        json!({
            "l": [{"x": 1}], "s": "text", "n": null, "i": 1, "t": true,
        }),
    )]);
    for (at, above, kind) in [
        (
            "a.l.\"0\".x",
            "a.l",
            "a list, and a path cannot name an element of a list",
        ),
        ("a.s.x", "a.s", "a string, which has no attributes"),
        ("a.n.x.y", "a.n", "null, which has no attributes"),
        ("a.i.x", "a.i", "a number, which has no attributes"),
        ("a.t.x", "a.t", "a Boolean, which has no attributes"),
    ] {
        for one in [replace(at, json!(1)), merge(at, json!([]))] {
            let (message, hints) = refused(&state, &set(&[one]));
            assert_eq!(
                message,
                format!("cannot set {at}: {above} is set to {kind}")
            );
            let whole = match kind.starts_with("a list") {
                true => "list",
                false => "value",
            };
            assert_eq!(
                hints,
                [format!(
                    "set the whole {whole}: `runtime-module set {above} VALUE`"
                )]
            );
        }
    }
}

#[test]
fn ancestor_keeps_its_priority_and_persistence() {
    let before = state(&[replace("a", json!({}))]);
    let edit = set(&[Definition {
        priority: Some(-5),
        ..replace("a.b", json!(1))
    }]);
    let (message, hints) = refused(&before, &edit);
    assert_eq!(
        message,
        "cannot set a.b at priority -5: a is overridden as a whole"
    );
    assert!(hints[0].starts_with("omit --priority"), "{hints:?}");
    let persistent = Definition {
        persist: true,
        ..replace("a.b", json!(1))
    };
    let (message, hints) = refused(&before, &set(&[persistent]));
    assert_eq!(
        message,
        "cannot set a.b with --persist: a is overridden as a whole without --persist"
    );
    assert_eq!(hints, ["omit --persist, or set a again with it"]);
    let kept = state(&[Definition {
        persist: true,
        ..replace("a", json!({}))
    }]);
    let (_, hints) = refused(&kept, &set(&[replace("a.b", json!(1))]));
    assert_eq!(hints, ["add --persist, or set a again without it"]);
}

#[test]
fn temporary_override_only_hides_a_persistent_one() {
    let persistent = |one: Definition| Definition {
        persist: true,
        ..one
    };
    let before = state(&[
        persistent(replace("a.b", json!(1))),
        persistent(merge("l", json!([1]))),
        replace("c", json!(2)),
    ]);
    let hidden = before
        .apply(
            &set(&[replace("a", json!({})), replace("l", json!([2]))]),
            4,
        )
        .expect("applied");
    assert_eq!(hidden.definitions.len(), 3);
    let values = |kept: Vec<Definition>| {
        kept.into_iter()
            .map(|one| (written(&one.path), one.value))
            .collect::<Vec<_>>()
    };
    let kept = [("a.b".to_string(), json!(1)), ("l".to_string(), json!([1]))];
    assert_eq!(values(hidden.kept()), kept);
    // A rollback and a later persistent definition also keep the hidden definitions.
    let log = [
        generation(1, Edit::Reset),
        generation(
            2,
            Edit::Rollback {
                to: 4,
                definitions: hidden.definitions.clone(),
                kept: hidden.kept(),
                survived: Vec::new(),
            },
        ),
    ];
    assert_eq!(values(state_at(&log, 2).expect("a state").kept()), kept);
    let later = hidden
        .apply(&set(&[persistent(replace("l", json!([3])))]), 5)
        .expect("applied");
    assert_eq!(
        values(later.kept()),
        [("a.b".into(), json!(1)), ("l".into(), json!([3]))]
    );
    // Unsetting an option removes both its temporary and its persistent definition.
    let unset = later.apply(&unset(&["a"]), 6).expect("applied");
    assert_eq!(values(unset.kept()), [("l".into(), json!([3]))]);
    let reset = unset.apply(&Edit::Reset, 7).expect("applied");
    assert_eq!((reset.definitions, reset.kept), (Vec::new(), Vec::new()));
    // An earlier version recorded only the definitions in force at that time.
    let old: OverrideState = serde_json::from_value(json!({
        "generation": 1,
        "definitions": [{"path": ["a"], "value": 1, "generation": 1, "persist": true}],
    }))
    .expect("a state");
    assert_eq!(values(old.kept()), [("a".into(), json!(1))]);
}

#[test]
fn merge_becomes_part_of_the_value_that_it_follows() {
    let folded = state(&[
        replace("l", json!([1])),
        merge("l", json!([2])),
        replace("s", json!({"x": [1], "y": {"z": 1}})),
        merge("s", json!({"x": [2], "y": {"k": 1}})),
    ]);
    assert_eq!(
        shown(&folded),
        [
            ("l".into(), json!([1, 2]), Some(-1), 2),
            (
                "s".into(),
                json!({"x": [1, 2], "y": {"z": 1, "k": 1}}),
                Some(-2),
                4
            ),
        ]
    );
    let kept = state(&[
        merge("o", json!([1])),
        merge("o", json!([2])),
        replace("t", json!("one")),
        merge("t", json!("two")),
        replace("s", json!({"x": 1})),
        merge("s", json!({"x": 2})),
        merge("s", json!({"y": 1})),
        replace("p", json!([1])),
        Definition {
            persist: true,
            ..merge("p", json!([2]))
        },
    ]);
    assert_eq!(kept.definitions.len(), 9);
    let merges = kept
        .definitions
        .iter()
        .filter(|one| one.mode == Mode::Merge);
    assert!(merges.clone().all(|one| one.priority.is_none()) && merges.count() == 6);
}

#[test]
fn change_below_ancestor_wins_over_its_merges() {
    let before = [
        replace("a", json!({"s": "1", "l": [1], "o": "x"})),
        merge("a", json!({"s": "2", "l": [2]})),
    ];
    assert_eq!(state(&before).definitions.len(), 2);
    let with = |one: Definition| {
        let all = [before.as_slice(), &[one]].concat();
        let values = state(&all).definitions;
        values.into_iter().map(|one| one.value).collect::<Vec<_>>()
    };
    assert_eq!(
        with(replace("a.s", json!("3"))),
        [json!({"s": "3", "l": [1], "o": "x"}), json!({"l": [2]})]
    );
    assert_eq!(
        with(merge("a.s", json!("3"))),
        [
            json!({"l": [1], "o": "x"}),
            json!({"l": [2]}),
            json!({"s": "3"})
        ]
    );
    assert_eq!(
        with(merge("a.l", json!([3]))),
        [
            json!({"s": "1", "l": [1], "o": "x"}),
            json!({"s": "2", "l": [2]}),
            json!({"l": [3]})
        ]
    );
    // A merge that adds nothing is removed.
    let state = state(&[
        replace("a", json!({"s": "1"})),
        merge("a", json!({"s": "2"})),
        replace("a.s", json!("3")),
    ]);
    assert_eq!(
        shown(&state),
        [("a".into(), json!({"s": "3"}), Some(-1), 3)]
    );
}

#[test]
fn merges_of_an_option_are_limited() {
    let many: Vec<Definition> = (0..MERGES).map(|n| merge("l", json!([n]))).collect();
    let full = OverrideState::default()
        .apply(&set(&many), 1)
        .expect("applied");
    assert_eq!(full.definitions.len(), MERGES);
    let (message, hints) = refused(&full, &set(&[merge("l", json!([0]))]));
    assert_eq!(
        message,
        "cannot merge into l: the option already has 1000 merged values"
    );
    assert_eq!(
        hints,
        ["set the whole value instead: `runtime-module set l VALUE`"]
    );
    full.apply(&set(&[merge("m", json!([0]))]), 2)
        .expect("another option");
    let replaced = full
        .apply(&set(&[replace("l", json!([]))]), 2)
        .expect("replaced");
    assert_eq!(replaced.definitions.len(), 1);
    // The number of merges into a replacing value is not limited.
    let state = replaced
        .apply(&set(&[many.as_slice(), &many].concat()), 3)
        .expect("applied");
    assert_eq!(
        state.definitions[0].value.as_array().map(Vec::len),
        Some(2 * MERGES)
    );
}

#[test]
fn values_and_paths_are_checked() {
    let before = state(&[replace("a", json!({"b": "x".repeat(1 << 19)}))]);
    for one in [
        replace("_module.args", json!({})),
        replace("b", json!({"_type": "if"})),
        merge("b", json!({"x": {"_module": 1}})),
        // The resulting value would be too large.
        replace("a.c", json!("x".repeat(1 << 19))),
        merge("a", json!({"c": "x".repeat(1 << 19)})),
    ] {
        refused(&before, &set(&[one]));
    }
    refused(&before, &unset(&[""]));
}

#[test]
fn unset_removes_the_path_and_paths_below_it() {
    let before = state(&[
        replace("a.b", json!(1)),
        merge("a.b", json!(2)),
        replace("ab", json!(1)),
        replace("a.c.d", json!(1)),
        replace("z", json!(1)),
    ]);
    let after = before.apply(&unset(&["a", "z"]), 6).expect("applied");
    assert_eq!(shown(&after), [("ab".into(), json!(1), Some(-2), 3)]);
    assert_eq!(after.generation, 6);
    // Two paths of an edit may overlap.
    before.apply(&unset(&["a", "a.b"]), 6).expect("applied");
}

#[test]
fn unset_needs_an_overridden_option() {
    let before = state(&[
        replace("services.web.port", json!(1)),
        replace("hosts", json!({"a": 1})),
        merge("extra", json!({"b": 1})),
    ]);
    for (at, message, hint) in [
        (
            "services.web.prot",
            "cannot unset services.web.prot: the option is not overridden",
            "did you mean services.web.port?",
        ),
        (
            "zzz",
            "cannot unset zzz: the option is not overridden",
            "run `runtime-module overrides` to list the overridden options",
        ),
        (
            "hosts.a",
            "cannot unset hosts.a: the option is a part of the override of hosts",
            "set hosts to a value without this part, or run `runtime-module unset hosts`",
        ),
        (
            "extra.b",
            "cannot unset extra.b: the option is a part of the override of extra",
            "set extra to a value without this part, or run `runtime-module unset extra`",
        ),
        (
            "extra.c",
            "cannot unset extra.c: the option is not overridden",
            "did you mean extra?",
        ),
    ] {
        assert_eq!(
            refused(&before, &unset(&[at])),
            (message.into(), vec![hint.into()])
        );
    }
    let (_, hints) = refused(&OverrideState::default(), &unset(&["a"]));
    assert!(hints.is_empty(), "{hints:?}");
}

fn generation(number: u64, edit: Edit) -> Generation {
    Generation {
        number,
        time: 0,
        user: "ada".into(),
        message: None,
        transaction: number.to_string(),
        edit,
    }
}

#[test]
fn earlier_state_is_restored() {
    let mut log = vec![
        generation(1, set(&[replace("a", json!(1))])),
        generation(2, set(&[replace("a", json!(2)), replace("b", json!(1))])),
        generation(3, unset(&["a"])),
    ];
    let second = state_at(&log, 2).expect("a state");
    let rollback = Edit::Rollback {
        to: 2,
        definitions: second.definitions.clone(),
        kept: second.kept(),
        survived: Vec::new(),
    };
    log.push(generation(4, rollback));
    let fourth = state_at(&log, 4).expect("a state");
    assert_eq!(fourth.definitions, second.definitions);
    assert_eq!((fourth.generation, diff(&second, &fourth).len()), (4, 0));
    log.push(generation(5, Edit::Reset));
    assert_eq!(state_at(&log, 5).expect("a state").definitions, []);

    for number in [0, 6] {
        let failed = state_at(&log, number).expect_err("unknown");
        assert_eq!(failed.failure, Failure::Usage);
        assert_eq!(
            failed.message,
            format!(
                "cannot find generation {number}: no such generation is recorded (first: 1, last: 5)"
            )
        );
    }
    assert_eq!(
        state_at(&[], 1).expect_err("unknown").failure,
        Failure::Usage
    );

    // A rollback does not depend on earlier generations, but all other edits do.
    log.remove(1);
    assert_eq!(state_at(&log, 4).expect("a state"), fourth);
    let failed = state_at(&log, 3).expect_err("missing");
    assert_eq!(failed.failure, Failure::Refused);
    assert_eq!(
        failed.message,
        "cannot reconstruct generation 3: generation 2 is missing from the history"
    );
}

/// A generator of pseudo-random numbers that are the same in every run (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, many: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).expect("31 bits") % many
    }

    fn path(&mut self) -> Vec<String> {
        let length = 1 + self.below(3);
        (0..length)
            .map(|_| ["a", "b", "c"][self.below(3)].to_string())
            .collect()
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth < 3 { 6 } else { 4 }) {
            0 => json!(self.below(100)),
            1 => json!("text"),
            2 => json!(null),
            3 => json!([self.below(100)]),
            _ => {
                let names = (0..self.below(4)).map(|_| ["a", "b", "c"][self.below(3)].to_string());
                let names: Vec<String> = names.collect();
                names
                    .into_iter()
                    .map(|name| (name, self.value(depth + 1)))
                    .collect::<Map<_, _>>()
                    .into()
            }
        }
    }
}

/// Writes a value into a tree. Returns `None` if the path continues below a value without
/// attributes.
fn write_into(tree: &Value, path: &[String], value: &Value) -> Option<Value> {
    let Some((name, rest)) = path.split_first() else {
        return Some(value.clone());
    };
    let mut attributes = tree.as_object()?.clone();
    let below = attributes.get(name).cloned().unwrap_or_else(|| json!({}));
    attributes.insert(name.clone(), write_into(&below, rest, value)?);
    Some(attributes.into())
}

/// Replays a whole history in a tree of values. Ignores priorities and does not remove any
/// definition.
fn replay(history: &[(Vec<String>, Value)]) -> Option<Value> {
    let mut tree = json!({});
    for (path, value) in history {
        tree = write_into(&tree, path, value)?;
    }
    Some(tree)
}

#[test]
fn compacted_and_full_history_have_the_same_values() {
    let mut refusals = 0;
    for seed in 1..=300 {
        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (seed << 17));
        let (mut state, mut history) = (OverrideState::default(), Vec::new());
        for number in 1..=40 {
            let new = Definition {
                path: random.path(),
                ..replace("x", random.value(0))
            };
            history.push((new.path.clone(), new.value.clone()));
            match (state.apply(&set(&[new]), number), replay(&history)) {
                (Ok(next), Some(_)) => state = next,
                (Err(_), None) => {
                    refusals += 1;
                    history.pop();
                }
                (state, replayed) => panic!("seed {seed}: {state:?} but {replayed:?}"),
            }
            assert_sound(&state);
        }
        let compacted: Vec<_> = state
            .definitions
            .iter()
            .map(|one| (one.path.clone(), one.value.clone()))
            .collect();
        assert_eq!(replay(&compacted), replay(&history), "seed {seed}");
    }
    assert!(refusals > 100, "{refusals}");
}

/// Checks that no definition is below a replacing definition, and that later definitions have
/// stronger priorities.
fn assert_sound(state: &OverrideState) {
    for (index, one) in state.definitions.iter().enumerate() {
        for later in &state.definitions[index + 1..] {
            assert!(
                !one.path.starts_with(&later.path) && !later.path.starts_with(&one.path),
                "{state:?}"
            );
            assert!(later.priority < one.priority, "{state:?}");
        }
    }
    assert!(state.definitions.iter().all(|one| one.priority < Some(0)));
}

#[test]
fn compacted_and_full_lists_have_the_same_elements() {
    for seed in 1..=50 {
        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (seed << 17));
        let (mut state, mut expected) = (OverrideState::default(), Vec::new());
        for number in 1..=60 {
            let element = json!(number);
            let new = match random.below(6) {
                0 => {
                    expected = vec![element.clone()];
                    replace("l", json!([element]))
                }
                _ => {
                    expected.push(element.clone());
                    merge("l", json!([element]))
                }
            };
            state = state.apply(&set(&[new]), number).expect("applied");
        }
        let lists = state
            .definitions
            .iter()
            .filter_map(|one| one.value.as_array());
        let elements: Vec<Value> = lists.flatten().cloned().collect();
        assert_eq!(elements, expected, "seed {seed}");
    }
}

#[test]
fn size_does_not_depend_on_past_generations() {
    let mut state = OverrideState::default();
    for number in 1..=20_000_u64 {
        let at = format!("option-{}", number % 50);
        state
            .advance(&set(&[replace(&at, json!(number))]), number)
            .expect("applied");
        assert!(state.definitions.len() <= 50);
    }
    assert_eq!(state.definitions.len(), 50);
    assert_eq!(
        state.definitions.last().and_then(|one| one.priority),
        Some(-20_000)
    );
}

const LIST: &str = "types.listOf types.int";
const SUBMODULE: &str = "types.submodule { options.a = mkOption { type = types.int; default = 0; }; options.b = mkOption { type = types.int; default = 0; }; }";
const OF_SUBMODULES: &str = "types.attrsOf (types.submodule { options.a = mkOption { type = types.listOf types.int; default = [ ]; }; })";
const FREEFORM: &str = "types.submodule { freeformType = types.attrsOf types.int; options.a = mkOption { type = types.int; default = 0; }; }";

/// Returns the options of the test below. Each has a declaration, a definition in the
/// configuration, and values for overrides.
fn typed_options() -> Vec<(&'static str, &'static str, &'static str, Vec<Value>)> {
    let numbers = vec![json!(1), json!(2)];
    let lists = vec![json!([1]), json!([2, 3]), json!([])];
    let sets = vec![
        json!({"a": 1}),
        json!({"b": 2}),
        json!({"a": 3, "b": 4}),
        json!({}),
    ];
    let nested = vec![
        json!({"x": {"a": [1]}}),
        json!({"y": {"a": [2]}}),
        json!({"x": {"a": []}}),
    ];
    vec![
        ("int", "types.int", "7", numbers.clone()),
        (
            "lines",
            "types.lines",
            "\"one\"",
            vec![json!("two"), json!("three")],
        ),
        (
            "list",
            LIST,
            "mkMerge [ (mkBefore [ 8 ]) (mkAfter [ 9 ]) [ 7 ] ]",
            lists.clone(),
        ),
        ("set", "types.attrsOf types.int", "{ c = 5; }", sets.clone()),
        ("submodule", SUBMODULE, "{ a = mkDefault 5; }", sets.clone()),
        (
            "submodules",
            OF_SUBMODULES,
            "{ x.a = mkAfter [ 9 ]; }",
            nested,
        ),
        ("freeform", FREEFORM, "{ c = 5; }", sets.clone()),
        (
            "nullOr",
            "types.nullOr (types.listOf types.int)",
            "mkDefault null",
            [lists.clone(), vec![json!(null)]].concat(),
        ),
        (
            "either",
            "types.either types.int (types.listOf types.int)",
            "mkDefault 5",
            [lists.clone(), numbers.clone()].concat(),
        ),
        (
            "coerced",
            "types.coercedTo types.int (x: [ x ]) (types.listOf types.int)",
            "[ 5 ]",
            [lists.clone(), numbers].concat(),
        ),
        ("twice", LIST, "[ 5 ]", lists),
        ("twiceSet", "types.attrsOf types.int", "{ c = 5; }", sets),
    ]
}

/// Returns a module with all definitions of a history, without removing or combining any. A merge
/// has the priority that its option has at that time.
fn full_module(history: &[(Definition, i64)]) -> String {
    let mut text = String::from("{ lib, ... }: { config = lib.mkMerge [\n");
    let mut heads = std::collections::BTreeMap::new();
    for (one, number) in history {
        let path = super::super::nix::path(&one.path);
        let value = super::super::nix::expression(&one.value, &[], 0);
        if one.mode == Mode::Replace {
            heads.insert(path.clone(), -number);
        }
        let priority = heads.get(&path).copied();
        let value = priority.map_or(value.clone(), |priority| {
            format!(
                "lib.mkOverride {} {value}",
                super::super::nix::integer(priority)
            )
        });
        text += &format!("  {{ {path} = {value}; }}\n");
    }
    text + "]; }\n"
}

/// Checks that the module system computes the same values from both modules, or fails for both.
#[test]
#[expect(clippy::print_stderr, reason = "a skipped test prints a message")]
fn compacted_and_full_modules_have_the_same_values() {
    let top = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let nix = top.join(".libnix/bin/nix-instantiate");
    if !nix.exists() {
        return eprintln!("SKIPPED: there is no .libnix/bin/nix-instantiate");
    }
    let nixpkgs = std::env::var_os("RUNTIME_MODULE_NIXPKGS").filter(|path| !path.is_empty());
    let nixpkgs = nixpkgs.map(std::path::PathBuf::from);
    let library = nixpkgs.map_or(top.join("tests/minios/lib"), |nixpkgs| nixpkgs.join("lib"));
    let folder = tempfile::tempdir().expect("a folder");
    let cases = module_cases(folder.path());
    let expression = format!(
        "let lib = import {}; value = case: module: builtins.tryEval (let x = (lib.evalModules {{ modules = [ {{ options.o.x = case.option; }} case.own case.again (import module) ]; }}).config.o.x; in builtins.deepSeq x x);
            all = map (case: {{ inherit (case) name; full = value case case.full; compact = value case case.compact; }}) [ {cases} ];
        in {{ different = builtins.filter (one: one.full != one.compact) all; values = builtins.length (builtins.filter (one: one.full.success) all); all = builtins.length all; }}",
        library.display()
    );
    let expression_file = folder.path().join("all.nix");
    std::fs::write(&expression_file, expression).expect("written");
    let done = std::process::Command::new(nix)
        .args(["--eval", "--strict", "--json", "--readonly-mode"])
        .arg(&expression_file)
        .env("NIX_REMOTE", "dummy://")
        .env("NIX_STATE_DIR", folder.path())
        .output()
        .expect("nix");
    let (out, err) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    let found: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{err}"));
    assert_eq!(found["different"], json!([]), "{err}");
    let count = |name: &str| found[name].as_u64().expect("a number");
    let (values, all) = (count("values"), count("all"));
    assert!(all == 300 && values > 200, "{values} of {all} have a value");
}

/// Writes a full and a compacted module for each case, and returns the cases as Nix expressions.
fn module_cases(folder: &std::path::Path) -> String {
    let mut cases = String::new();
    for (index, (name, kind, own, values)) in typed_options().into_iter().enumerate() {
        let again = match name.starts_with("twice") {
            true => format!("{{ options.o.x = lib.mkOption {{ type = with lib; {kind}; }}; }}"),
            false => "{ }".into(),
        };
        for seed in 1..=25_u64 {
            let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (seed << 17) ^ index as u64);
            let (mut state, mut history) = (OverrideState::default(), Vec::new());
            for number in 1..=1 + random.below(6) as i64 {
                let value = values[random.below(values.len())].clone();
                let new = match random.below(2) {
                    0 => replace("o.x", value),
                    _ => merge("o.x", value),
                };
                state = state
                    .apply(&set(std::slice::from_ref(&new)), number as u64)
                    .expect("applied");
                history.push((new, number));
            }
            let file = |kind: &str, text: String| {
                let path = folder.join(format!("{name}-{seed}-{kind}.nix"));
                std::fs::write(&path, text).expect("written");
                path.display().to_string()
            };
            cases += &format!(
                "{{ name = \"{name} {seed}\"; own = with lib; {{ config.o.x = {own}; }}; again = {again}; option = with lib; mkOption {{ type = {kind}; }}; full = {}; compact = {}; }}\n",
                file("full", full_module(&history)),
                file("compact", super::super::export(&state)),
            );
        }
    }
    cases
}
