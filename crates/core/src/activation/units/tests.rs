//! Compares predicted effects with the rules of nixpkgs' switch programs.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::activation::unit_files::DEFAULT;

const SERVICE: &str = "[Service]\nExecStart=a\n";

fn write(folder: &Path, units: &[(&str, &str)]) {
    for (name, text) in units {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
}

/// Creates a folder with these units. `multi-user.target` wants the units in `wanted`. An entry
/// such as `basic.target.wants/a.service` goes into the folder that it names.
fn folder(units: &[(&str, &str)], wanted: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    write(dir.path(), units);
    for name in wanted {
        let (by, name) = name
            .split_once('/')
            .unwrap_or(("multi-user.target.wants", name));
        write(&dir.path().join(by), &[(name, "")]);
    }
    dir
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Predicts the effect of a switch from the first folder to the second, while `up` and
/// `multi-user.target` are active.
fn switched(old: &[(&str, &str)], new: &[(&str, &str)], up: &[&str]) -> UnitChanges {
    let (old, new) = (folder(old, &[]), folder(new, &[]));
    let up = set(&[up, &["multi-user.target"]].concat());
    let up = Some(up.into_iter().collect());
    compare(&Folder::read(old.path()), &Folder::read(new.path()), up)
}

/// Returns the units that start when this folder replaces an empty folder.
fn started(new: &tempfile::TempDir, up: Option<&[&str]>) -> BTreeSet<String> {
    let up = up.map(|up| up.iter().map(ToString::to_string).collect());
    compare(&Folder::default(), &Folder::read(new.path()), up).start
}

/// Makes a system with units that targets and other units depend on.
fn targets() -> tempfile::TempDir {
    folder(
        &[
            ("multi-user.target", "[Unit]\nRequires=basic.target\n"),
            ("basic.target", ""),
            ("suspend.target", ""),
            ("by-hand.target", "[Unit]\nX-OnlyManualStart=true\n"),
            ("refuses.target", "[Unit]\nRefuseManualStart=true\n"),
            ("new.target", "[Unit]\nWants=by-file.service gone.service\n"),
            ("new.service", SERVICE),
            ("basic.service", SERVICE),
            ("by-new.service", SERVICE),
            ("by-file.service", SERVICE),
            ("by-instance.service", SERVICE),
            ("by-running.service", SERVICE),
            ("running.service", "[Unit]\nWants=by-running.service\n"),
            ("shell@.service", SERVICE),
            // systemd itself ignores this key, so the unit starts as a dependency.
            ("wanted.service", "[Unit]\nX-OnlyManualStart=true\n"),
            ("before-sleep.service", SERVICE),
            ("rescue.service", SERVICE),
        ],
        &[
            "new.service",
            "new.target",
            "running.service",
            "wanted.service",
            "basic.target.wants/basic.service",
            "new.target.requires/by-new.service",
            "shell@.service.upholds/by-instance.service",
            "suspend.target.requires/before-sleep.service",
            "by-hand.target.wants/rescue.service",
            "refuses.target.wants/rescue.service",
            "rescue.target.wants/rescue.service",
        ],
    )
}

/// The units of [`targets`] that start if the default target is active.
const STARTED: [&str; 6] = [
    "basic.service",
    "by-file.service",
    "by-new.service",
    "new.service",
    "new.target",
    "wanted.service",
];

#[test]
fn dependencies_of_restarted_targets_start() {
    let new = targets();
    let up = [
        "basic.target",
        "multi-user.target",
        "running.service",
        "shell@one.service",
    ];
    assert_eq!(started(&new, Some(&up)), set(&STARTED));
    for quiet in ["suspend.target", "by-hand.target", "refuses.target"] {
        assert_eq!(started(&new, Some(&[quiet])), set(&[]), "{quiet}");
    }
    // Each switch restarts this target.
    write(
        new.path(),
        &[(
            "sysinit-reactivation.target",
            "[Unit]\nWants=basic.service\n",
        )],
    );
    assert_eq!(started(&new, Some(&[])), set(&["basic.service"]));
}

#[test]
fn default_target_counts_if_active_units_are_unknown() {
    let new = targets();
    symlink("multi-user.target", new.path().join(DEFAULT)).expect("linked");
    let mut found = started(&new, None);
    found.remove("multi-user.target");
    let more = set(&["basic.target", "running.service", "by-running.service"]);
    assert_eq!(found, &set(&STARTED) | &more);
}

#[test]
fn restarted_unit_starts_its_dependencies() {
    let wants = "[Unit]\nWants=helper.service\n[Service]\nExecStart=b\n";
    let template = ("shell@.service", SERVICE);
    let changes = switched(
        &[("web.service", SERVICE), template],
        &[
            ("web.service", wants),
            ("helper.service", SERVICE),
            template,
        ],
        &["web.service"],
    );
    assert_eq!(changes.restart, set(&["web.service"]));
    assert_eq!(changes.start, set(&["helper.service"]));
}

#[test]
fn keys_of_a_unit_decide_its_treatment() {
    /// Returns a unit file with a key in a section.
    fn unit(section: &str, key: &str, command: char) -> String {
        let [unit, service] = ["Unit", "Service"].map(|name| match name == section {
            true => format!("[{name}]\n{key}\n"),
            false => format!("[{name}]\n"),
        });
        format!("{unit}{service}ExecStart={command}\n")
    }
    let keys = [
        ("plain", "", "", "stop first"),
        ("reload", "Service", "X-ReloadIfChanged=true", "reload"),
        ("left", "Service", "X-RestartIfChanged=false", "left"),
        ("at-once", "Service", "X-StopIfChanged=false", "restart"),
        ("refuses", "Unit", "RefuseManualStop=yes", "left"),
        ("by-hand", "Unit", "X-OnlyManualStart=1", "left"),
        // nixpkgs writes each key into one section, and its switch programs read the key only in
        // that section.
        ("no-reload", "Unit", "X-ReloadIfChanged=true", "stop first"),
        ("not-left", "Unit", "X-RestartIfChanged=false", "stop first"),
        (
            "no-refusal",
            "Service",
            "RefuseManualStop=yes",
            "stop first",
        ),
        (
            "not-by-hand",
            "Service",
            "X-OnlyManualStart=1",
            "stop first",
        ),
    ];
    for (name, section, key, done) in keys {
        let name = format!("{name}.service");
        let [old, new] = ['a', 'b'].map(|command| unit(section, key, command));
        let changes = switched(&[(&name, &old)], &[(&name, &new)], &[&name]);
        let mut expected = UnitChanges::default();
        let list = match done {
            "reload" => &mut expected.reload,
            "left" => &mut expected.left,
            _ => &mut expected.restart,
        };
        list.insert(name.clone());
        if done == "stop first" {
            expected.stop_first.insert(name.clone());
        }
        assert_eq!(changes, expected, "{section}: {key}");
    }
}

#[test]
fn unchanged_units_are_left_out() {
    let same = "[Unit]\nDescription=one\nX-Reload-Triggers=a\n[Service]\nExecStart=a\n";
    let other = "[Unit]\nDescription=two\n[Service]\nExecStart=a\n";
    let changes = switched(
        &[("same.service", same), ("down.service", SERVICE)],
        &[("same.service", other), ("down.service", "[Service]\n")],
        &["same.service"],
    );
    assert_eq!(changes, UnitChanges::default());
    // In the opposite direction, the reload trigger is added.
    let changes = switched(
        &[("same.service", other)],
        &[("same.service", same)],
        &["same.service"],
    );
    assert_eq!(changes.reload, set(&["same.service"]));
    // A change to one of these two keys counts like a change to any other key.
    for key in ["X-OnlyManualStart", "X-StopOnRemoval"] {
        let new = format!("[Unit]\n{key}=no\n{SERVICE}");
        let changes = switched(
            &[("a.service", SERVICE)],
            &[("a.service", &new)],
            &["a.service"],
        );
        assert_eq!(changes.restart, set(&["a.service"]), "{key}");
    }
}

#[test]
fn kind_decides_the_treatment_of_other_units() {
    let mount = |what: &str, options: &str| format!("[Mount]\nWhat={what}\nOptions={options}\n");
    let [old, remounted, other] = [("a", "ro"), ("a", "rw"), ("b", "rw")].map(|(a, b)| mount(a, b));
    let changes = switched(
        &[
            ("-.mount", &old),
            ("data.mount", &old),
            ("srv.mount", &old),
            ("new-options.mount", "[Mount]\nWhat=a\n"),
            ("a.slice", "[Slice]\nCPUWeight=1\n"),
            ("a.socket", "[Socket]\nListenStream=1\n"),
            ("a.timer", "[Timer]\nOnCalendar=daily\n"),
            ("a.path", "[Path]\nPathExists=/a\n"),
            ("a.target", "[Unit]\nWants=a\n"),
            ("gone.timer", ""),
            ("stays.service", "[Unit]\nX-StopOnRemoval=false\n"),
        ],
        &[
            ("-.mount", &other),
            ("data.mount", &other),
            ("srv.mount", &remounted),
            ("new-options.mount", "[Mount]\nWhat=a\nOptions=ro\n"),
            ("a.slice", "[Slice]\nCPUWeight=2\n"),
            ("a.socket", "[Socket]\nListenStream=2\n"),
            ("a.timer", "[Timer]\nOnCalendar=weekly\n"),
            ("a.path", "[Path]\nPathExists=/b\n"),
            ("a.target", "[Unit]\nWants=b\n"),
        ],
        &[
            "-.mount",
            "data.mount",
            "srv.mount",
            "new-options.mount",
            "a.slice",
            "a.socket",
            "a.timer",
            "a.path",
            "a.target",
            "gone.timer",
            "stays.service",
        ],
    );
    let expected = UnitChanges {
        stop: set(&["gone.timer"]),
        restart: set(&["a.path", "a.timer", "data.mount", "new-options.mount"]),
        reload: set(&["-.mount", "srv.mount"]),
        ..UnitChanges::default()
    };
    assert_eq!(changes, expected);
}

#[test]
fn sockets_restart_instead_of_their_service() {
    let socket = "[Socket]\nListenStream=/run/a\n";
    let changed = |key: &str, sockets: &[&str], up: &[&str]| {
        let old = [("a.service", SERVICE)];
        let new = format!("[Service]\nExecStart=b\n{key}\n");
        let new = [("a.service", new.as_str())];
        let sockets: Vec<_> = sockets.iter().map(|name| (*name, socket)).collect();
        let (old, new) = ([&old[..], &sockets].concat(), [&new[..], &sockets].concat());
        let changes = switched(&old, &new, &[&["a.service"], up].concat());
        (changes.stop, changes.restart)
    };
    let up = ["a.socket"];
    assert_eq!(changed("", &up, &up), (set(&["a.service"]), set(&up)));
    // An inactive socket does not activate the service.
    assert_eq!(changed("", &up, &[]), (set(&[]), set(&["a.service"])));
    // An active socket that loses its file is only stopped, so it does not start the service.
    let both = (set(&up), set(&["a.service"]));
    assert_eq!(changed("", &[], &up), both);
    let both = (set(&[]), set(&["a.service", "a.socket"]));
    assert_eq!(changed("X-NotSocketActivated=true", &up, &up), both);
    // A service that is restarted in one step does not affect its sockets.
    let at_once = changed("X-StopIfChanged=false", &up, &up);
    assert_eq!(at_once, (set(&[]), set(&["a.service"])));
    let named = ["b.socket", "c.socket"];
    let by_name = changed("Sockets=b.socket c.socket", &named, &named);
    assert_eq!(by_name, (set(&["a.service"]), set(&named)));
}

#[test]
fn wanted_service_restarts_with_its_socket() {
    let socket = ("a.socket", "[Socket]\nListenStream=/run/a\n");
    let units = |command| folder(&[("a.service", command), socket], &["a.service"]);
    let (old, new) = (units(SERVICE), units("[Service]\nExecStart=b\n"));
    let up = ["multi-user.target", "a.service", "a.socket"].map(String::from);
    let (old, new) = (Folder::read(old.path()), Folder::read(new.path()));
    let changes = compare(&old, &new, Some(up.into_iter().collect()));
    assert_eq!(changes.stop, set(&[]));
    assert_eq!(changes.restart, set(&["a.service", "a.socket"]));
}

#[test]
fn drop_ins_and_templates_are_part_of_a_unit() {
    let template = ("shell@.service", SERVICE);
    let part = |command: &str| format!("[Service]\nExecStart=\nExecStart={command}\n");
    let [first, other] = ["a", "b"].map(part);
    let up = ["plain.service", "shell@one.service", "shell@two.service"];
    let changes = switched(
        &[("plain.service", SERVICE), template],
        &[
            ("plain.service", SERVICE),
            ("plain.service.d/overrides.conf", &other),
            template,
            ("shell@one.service.d/overrides.conf", &other),
            // This drop-in resets `ExecStart` to the value in the template.
            ("shell@two.service.d/overrides.conf", &first),
        ],
        &up,
    );
    assert_eq!(
        changes.restart,
        set(&["plain.service", "shell@one.service"])
    );
    // All instances change together with their template. An instance that loses its own file counts
    // as removed.
    let changes = switched(
        &[template, ("shell@two.service", SERVICE)],
        &[("shell@.service", &other)],
        &up,
    );
    assert_eq!(changes.restart, set(&["shell@one.service"]));
    assert_eq!(changes.stop, set(&["shell@two.service"]));
}

#[test]
fn changed_user_units_are_listed() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let [old, new] = ["old", "new"].map(|name| dir.path().join(name));
    let user = "etc/systemd/user";
    write(
        &old.join(user),
        &[
            ("gone.service", SERVICE),
            ("same.service", SERVICE),
            ("changed.timer", "[Timer]\nOnCalendar=daily\n"),
            ("described.service", "[Unit]\nDescription=one\n"),
            ("part.service", SERVICE),
        ],
    );
    write(
        &new.join(user),
        &[
            ("new.service", SERVICE),
            ("same.service", SERVICE),
            ("changed.timer", "[Timer]\nOnCalendar=weekly\n"),
            ("described.service", "[Unit]\nDescription=two\n"),
            ("part.service", SERVICE),
            ("part.service.d/overrides.conf", "[Service]\nNice=1\n"),
            // The `.wants` folder of a target is not part of the target's own unit.
            ("default.target.wants/new.service", SERVICE),
        ],
    );
    let system = "etc/systemd/system/web.service";
    write(&new, &[(system, SERVICE)]);
    let locations = Locations::new(dir.path(), dir.path());
    let user = set(&[
        "changed.timer",
        "described.service",
        "gone.service",
        "new.service",
        "part.service",
    ]);
    let expected = UnitChanges {
        user: user.clone(),
        ..UnitChanges::default()
    };
    assert_eq!(unit_changes(Some(&old), &new, &locations), expected);
    assert_eq!(
        unit_changes(Some(&new), &old, &locations).user,
        expected.user
    );
    assert_eq!(unit_changes(Some(&new), &new, &locations).user, set(&[]));
    // Without a previous system, all units are new.
    let all = unit_changes(None, &old, &locations).user;
    assert_eq!(all.len(), 5, "{all:?}");
}
