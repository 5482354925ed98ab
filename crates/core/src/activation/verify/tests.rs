use super::*;

fn unit(name: &str, problem: Option<UnitProblem>) -> (UnitId, UnitState) {
    let active = match problem {
        Some(UnitProblem::Failed) => "failed",
        _ => "active",
    };
    let state = UnitState {
        name: name.into(),
        active: active.into(),
        ..UnitState::default()
    };
    (UnitId::of_system(name), state)
}

fn before(failed: &[&str]) -> BeforeSwitch {
    BeforeSwitch {
        running: Some("/old".into()),
        units: States::new(),
        unwell: failed.iter().map(|name| UnitId::of_system(name)).collect(),
        systemd: true,
    }
}

fn switched(status: i32, failed: &[&str], touched: &[&str]) -> SwitchResult {
    SwitchResult {
        status: Some(status),
        last_lines: Vec::new(),
        script_failed: false,
        locked: false,
        failed_units: failed.iter().map(ToString::to_string).collect(),
        touched: touched.iter().map(ToString::to_string).collect(),
        begun: true,
    }
}

/// Judges a switch after which the units in `now` have failed and the running system is `runs`.
fn judge(before: &BeforeSwitch, switched: &SwitchResult, now: &[&str], runs: &str) -> Verification {
    let switching = Switching {
        switched,
        expected: "/new",
        to: "/new".into(),
        from: None,
        broken: &[],
        since: 0,
        settle: Duration::ZERO,
    };
    let mut watched = WatchResult {
        after: now
            .iter()
            .map(|name| unit(name, Some(UnitProblem::Failed)))
            .collect(),
        ..WatchResult::default()
    };
    for name in &switched.touched {
        let id = UnitId::of_system(name);
        let unwell = UnhealthyUnit {
            problem: UnitProblem::Failed,
            state: watched.after.get(&id).cloned(),
            command: None,
        };
        if now.contains(&name.as_str()) && !before.unwell.contains(&id) {
            watched.unwell.insert(id.clone(), unwell);
        }
        watched
            .touched
            .insert(id, crate::activation::touched::UnitEffect::Started);
    }
    before.judge(&switching, Some(runs.into()), &watched)
}

#[test]
fn unit_that_failed_before_is_only_listed() {
    for (status, reported) in [(4, &["old.service"][..]), (0, &[])] {
        let verification = judge(
            &before(&["old.service"]),
            &switched(status, reported, &[]),
            &["old.service"],
            "/new",
        );
        assert_eq!(verification.verdict, Verdict::Well);
        assert_eq!(
            verification.warnings,
            ["these units had already failed before the change: old.service"]
        );
    }
}

#[test]
fn newly_failed_unit_counts_even_if_not_reported() {
    let one = switched(4, &["old.service", "new.service"], &[]);
    let verification = judge(&before(&["old.service"]), &one, &[], "/new");
    assert_eq!(
        (verification.verdict, verification.names()),
        (Verdict::UnitsFailed, vec!["new.service".into()])
    );
    let late = switched(0, &[], &["late.service"]);
    let now = ["late.service", "other.service"];
    let verification = judge(&before(&[]), &late, &now, "/new");
    assert_eq!(
        (verification.verdict, verification.names()),
        (Verdict::UnitsFailed, vec!["late.service".into()])
    );
    assert_eq!(
        verification.warnings,
        ["these units failed during the change, but not because of it: other.service"]
    );
}

#[test]
fn reported_unit_counts_only_if_touched() {
    let reported = ["new.service", "other.service"];
    let one = switched(4, &reported, &["new.service"]);
    let verification = judge(&before(&[]), &one, &reported, "/new");
    assert_eq!(verification.names(), ["new.service"]);
    let one = switched(4, &["other.service"], &[]);
    let verification = judge(&before(&[]), &one, &["other.service"], "/new");
    assert_eq!(verification.verdict, Verdict::Well);
    assert_eq!(
        verification.warnings,
        ["these units failed during the change, but not because of it: other.service"]
    );
}

#[test]
fn unit_broken_by_change_counts_on_rollback() {
    let first = before(&["old.service"]);
    let way_back = before(&["old.service", "broken.service"]).with_unwell(&first);
    let verification = judge(
        &way_back,
        &switched(0, &[], &["broken.service"]),
        &["old.service", "broken.service"],
        "/new",
    );
    assert_eq!(
        (verification.verdict, verification.names()),
        (Verdict::UnitsFailed, vec!["broken.service".into()])
    );
}

#[test]
fn status_4_without_names_means_failed_units() {
    let verification = judge(&before(&[]), &switched(4, &[], &[]), &[], "/new");
    assert_eq!(
        (verification.verdict, verification.why.as_str()),
        (Verdict::UnitsFailed, "some units failed")
    );
    // A unit that had failed before explains the exit status only if the switch touched it.
    for (touched, verdict) in [
        (&["old.service"][..], Verdict::Well),
        (&[], Verdict::UnitsFailed),
    ] {
        let verification = judge(
            &before(&["old.service"]),
            &switched(4, &[], touched),
            &["old.service"],
            "/new",
        );
        assert_eq!(verification.verdict, verdict);
    }
}

#[test]
fn unexpected_running_system_is_a_failure() {
    let verification = judge(&before(&[]), &switched(0, &[], &[]), &[], "/old");
    assert_eq!(verification.verdict, Verdict::Failed);
    assert!(
        verification.why.ends_with("but /old is still running"),
        "{}",
        verification.why
    );
    let third = judge(&before(&[]), &switched(3, &[], &[]), &[], "/third");
    assert_eq!(third.verdict, Verdict::Superseded);
}
