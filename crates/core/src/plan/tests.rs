use super::*;
use crate::cli::options_of;
use crate::record::{Pin, SCHEMA, Source, State};

/// Returns the situation of a machine on which this program enabled `hello`.
fn situation() -> Situation {
    Situation {
        history: Vec::new(),
        effects: Default::default(),
        baked: None,
        state: State {
            schema: SCHEMA,
            revision: 1,
            configuration: Some(
                Source::from(Pin {
                    url: "/etc/nixos".into(),
                    host: "box".into(),
                    ..Pin::default()
                })
                .into(),
            ),
            base: Some(crate::record::Base {
                toplevel: "/base".into(),
            }),
            current: Some("/with-hello".into()),
            wanted: vec!["hello".into()],
            active: vec!["hello".into()],
            ..State::default()
        },
        running: Some("/with-hello".into()),
        under_way: None,
        usual: None,
        plain: None,
        specialisation: None,
    }
}

fn plan(action: &Action, situation: &Situation, arguments: &[&str]) -> Decision {
    let intent = Intent::new(action.clone(), Default::default());
    let source = options_of(arguments).source;
    decide(&intent, situation, &source, Path::new("/here")).expect("a decision")
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_string()).collect()
}

#[test]
fn enabled_modules_are_not_enabled_again() {
    let action = Action::Enable(names(&["hello"]));
    assert_eq!(
        plan(&action, &situation(), &[]),
        Decision::Nothing("hello is already enabled".into())
    );
    let action = Action::Disable(names(&["a", "b"]));
    assert_eq!(
        plan(&action, &situation(), &[]),
        Decision::Nothing("a, b are already disabled".into())
    );
}

#[test]
fn disabling_the_last_module_evaluates_nothing() {
    let Decision::Do(plan) = plan(&Action::Disable(names(&["hello"])), &situation(), &[]) else {
        panic!("expected a plan");
    };
    assert!(matches!(&plan.goal, Goal::Known(state) if state.toplevel == "/base"));
    assert!(plan.wanted.is_empty());
}

#[test]
fn external_switch_leaves_no_module_active() {
    let mut situation = situation();
    situation.running = Some("/new-base".into());
    assert!(situation.foreign() && situation.active().is_empty());
    let Decision::Do(plan) = plan(&Action::Enable(names(&["hello"])), &situation, &[]) else {
        panic!("expected a plan");
    };
    assert_eq!(plan.base.as_deref(), Some("/new-base"));
    assert_eq!(plan.notes.len(), 1);
}

#[test]
fn another_flake_has_its_own_base() {
    let Decision::Do(plan) = plan(&Action::Apply, &situation(), &["--flake", "./x"]) else {
        panic!("expected a plan");
    };
    assert_eq!(plan.base, None);
    assert!(matches!(
        plan.goal,
        Goal::Evaluate {
            source: PlannedSource::Reference { .. },
            ..
        }
    ));
}

#[test]
fn inputs_are_replaced_in_the_pinned_tree() {
    let arguments = ["--override-input", "nixpkgs", "./n"];
    let Decision::Do(plan) = plan(&Action::Apply, &situation(), &arguments) else {
        panic!("expected a plan");
    };
    let Goal::Evaluate {
        source:
            PlannedSource::Reference {
                input_overrides,
                of,
                ..
            },
        ..
    } = plan.goal
    else {
        panic!("expected a reference to lock");
    };
    assert_eq!(
        input_overrides,
        [("nixpkgs".to_string(), "./n".to_string())]
    );
    assert_eq!(of.map(|pin| pin.url).as_deref(), Some("/etc/nixos"));
}

#[test]
fn rebuild_without_a_source_is_refused() {
    let mut situation = situation();
    situation.state.configuration = None;
    let intent = Intent::new(Action::Rebuild, Default::default());
    let source = SourceOptions::default();
    let error = decide(&intent, &situation, &source, Path::new("/")).expect_err("refused");
    assert!(format!("{error:#}").contains("flakeUrl is not set"));
}

#[test]
fn file_is_evaluated_again_for_each_change() {
    let mut situation = situation();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let file = crate::record::SystemFile {
        path: path.into(),
        attribute: Vec::new(),
    };
    situation.state.configuration = Some(Source::from(file.clone()).into());
    let evaluated = |action: &Action| match plan(action, &situation, &[]) {
        Decision::Do(plan) => {
            assert_eq!(plan.base, None, "the file may have another base now");
            match plan.goal {
                Goal::Evaluate {
                    source: PlannedSource::Known(Source::File(file)),
                    ..
                } => file,
                goal => panic!("{goal:?}"),
            }
        }
        nothing @ Decision::Nothing(_) => panic!("{nothing:?}"),
    };
    for action in [
        Action::Apply,
        Action::Rebuild,
        Action::Disable(names(&["hello"])),
        Action::Enable(names(&["web"])),
    ] {
        assert_eq!(evaluated(&action), file, "{action:?}");
    }
    // Enabling an enabled module does nothing, and a reset does not evaluate.
    assert!(matches!(
        plan(&Action::Enable(names(&["hello"])), &situation, &[]),
        Decision::Nothing(_)
    ));
    match plan(&Action::Reset, &situation, &[]) {
        Decision::Do(plan) => {
            assert!(matches!(&plan.goal, Goal::Known(state) if state.toplevel == "/base"));
        }
        nothing @ Decision::Nothing(_) => panic!("{nothing:?}"),
    }
    // A flake on the command line overrides the remembered file.
    match plan(&Action::Apply, &situation, &["--flake", "."]) {
        Decision::Do(plan) => assert!(matches!(
            plan.goal,
            Goal::Evaluate {
                source: PlannedSource::Reference { .. },
                ..
            }
        )),
        nothing @ Decision::Nothing(_) => panic!("{nothing:?}"),
    }
}
