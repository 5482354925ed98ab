//! Tests of the state.

use super::super::configuration::{Source, SystemFile};
use super::*;

fn place() -> (tempfile::TempDir, Locations) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let locations = Locations::new(dir.path(), dir.path().join("cache"));
    (dir, locations)
}

#[test]
fn written_state_is_read_back() {
    let (_dir, locations) = place();
    let state = State {
        schema: SCHEMA,
        revision: 7,
        wanted: vec!["hello".into()],
        pending: Some(Pending {
            transaction: "t".into(),
            step: Step::Switching,
            to: "/nix/store/x".into(),
            ..Pending::default()
        }),
        ..State::default()
    };
    state.write(&locations).expect("written");
    assert_eq!(State::read(&locations).expect("read"), state);
}

#[test]
fn state_can_name_a_file_instead_of_a_flake() {
    let (_dir, locations) = place();
    let file = SystemFile {
        path: "/etc/nixos/default.nix".into(),
        attribute: vec!["nodes".into(), "a.b".into()],
    };
    let state = State {
        schema: SCHEMA,
        configuration: Some(Source::from(file).into()),
        ..State::default()
    };
    state.write(&locations).expect("written");
    assert_eq!(State::read(&locations).expect("read"), state);
}

#[test]
fn missing_state_file_means_empty_state() {
    let (_dir, locations) = place();
    let state = State::read(&locations).expect("read");
    assert_eq!((state.schema, state.revision), (SCHEMA, 0));
}

#[test]
fn truncated_state_file_is_an_error() {
    let (_dir, locations) = place();
    State {
        schema: SCHEMA,
        ..State::default()
    }
    .write(&locations)
    .expect("written");
    let whole = std::fs::read(locations.state()).expect("read");
    for length in 0..whole.len() - 2 {
        std::fs::write(locations.state(), &whole[..length]).expect("cut");
        assert!(State::read(&locations).is_err(), "cut at {length}");
    }
}

#[test]
fn newer_schema_is_refused() {
    let (_dir, locations) = place();
    write_json(
        &locations.state(),
        &serde_json::json!({"schema": 2}),
        Point::WriteState,
    )
    .expect("written");
    let error = State::read(&locations).expect_err("refused");
    assert!(
        format!("{error:#}").ends_with("the file has schema 2, but this version reads schema 1")
    );
}

/// Returns a state in which nothing is recorded.
fn fresh() -> State {
    State {
        schema: SCHEMA,
        ..State::default()
    }
}

fn change(from: &str, to: &str, base: &str, wanted: &[&str]) -> Pending {
    Pending {
        transaction: "t".into(),
        from: Some(from.into()),
        to: to.into(),
        base: Some(base.into()),
        wanted: wanted.iter().map(ToString::to_string).collect(),
        ..Pending::default()
    }
}

#[test]
fn base_is_recorded_when_first_change_begins() {
    let mut state = fresh();
    state.begin(change("/a", "/b", "/a", &["hello"]));
    // If the activator is killed after the switch, the running system must not be taken for the
    // base.
    assert_eq!(state.base_of(Some("/b")).as_deref(), Some("/a"));
    state.end(StateEffect::Done);
    assert_eq!(state.base_of(Some("/b")).as_deref(), Some("/a"));
    assert_eq!((state.revision, state.active.len()), (1, 1));
}

#[test]
fn stranded_change_keeps_base_and_stays_pending() {
    let mut state = fresh();
    state.begin(change("/a", "/b", "/a", &["hello"]));
    state.end(StateEffect::Stranded);
    assert!(!state.foreign(Some("/b")));
    assert_eq!(state.base_of(Some("/b")).as_deref(), Some("/a"));
    let step = state.pending.as_ref().map(|pending| pending.step);
    assert_eq!(step, Some(Step::Stranded));
    state.end(StateEffect::Done);
    assert_eq!((state.pending, state.active.len()), (None, 1));
}

#[test]
fn failed_change_keeps_modules_and_request() {
    let mut state = fresh();
    state.begin(change("/a", "/b", "/a", &["hello"]));
    state.end(StateEffect::Done);
    let before = state.clone();
    state.begin(change("/b", "/c", "/a", &["hello", "web"]));
    state.end(StateEffect::AsBefore);
    assert_eq!(
        state,
        State {
            revision: 2,
            ..before
        }
    );
}

#[test]
fn external_switch_makes_a_new_base() {
    let mut state = fresh();
    state.begin(change("/a", "/b", "/a", &["hello"]));
    state.end(StateEffect::Done);
    assert!(state.foreign(Some("/n")));
    state.begin(change("/n", "/m", "/n", &["hello"]));
    assert_eq!(state.base_of(Some("/m")).as_deref(), Some("/n"));
}

#[test]
fn switch_to_base_ends_unconfirmed_change() {
    let mut state = fresh();
    state.begin(change("/base", "/a", "/base", &["hello"]));
    state.end(StateEffect::Done);
    state.begin(change("/a", "/b", "/base", &["hello", "web"]));
    for (running, unended) in [("/a", true), ("/b", true), ("/base", false), ("/n", false)] {
        assert_eq!(
            state.unfinished_transaction(Some(running)).is_some(),
            unended,
            "{running}"
        );
    }
    // The next change starts from the base, and its base stays the same.
    state.begin(change("/base", "/c", "/base", &["web"]));
    assert_eq!(state.base_of(Some("/c")).as_deref(), Some("/base"));
    assert!(state.unfinished_transaction(Some("/a")).is_none());
}

#[test]
fn failed_change_after_external_switch_keeps_base() {
    let mut state = fresh();
    state.begin(change("/a", "/b", "/a", &["hello"]));
    state.end(StateEffect::Done);
    let before = state.clone();
    state.begin(change("/b-travel", "/c", "/a-travel", &["hello", "web"]));
    assert_eq!(state.base_of(Some("/c")).as_deref(), Some("/b-travel"));
    state.end(StateEffect::AsBefore);
    assert_eq!(
        (&state.base, &state.current),
        (&before.base, &before.current)
    );
    assert!(state.foreign(Some("/b-travel")) && !state.foreign(Some("/b")));
}

#[test]
fn state_of_earlier_boot_is_ignored() {
    let (_dir, locations) = place();
    let state = State {
        boot: Some("another".into()),
        revision: 9,
        ..fresh()
    };
    state.write(&locations).expect("written");
    assert_eq!(State::read(&locations).expect("read").revision, 0);
}

#[test]
fn requested_modules_survive_a_reboot() {
    let (_dir, locations) = place();
    let wanted = Wanted {
        schema: SCHEMA,
        modules: vec!["hello".into()],
    };
    wanted.write(&locations).expect("written");
    assert_eq!(State::read(&locations).expect("read").wanted, ["hello"]);
}
