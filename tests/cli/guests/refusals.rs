//! Requests that are refused, and guests that cannot boot. Each has a message with a next step, and
//! leaves nothing behind.

use std::fs;
use std::net::TcpListener;

use crate::support::{GuestLab, Ran};

/// Checks the message and the hint of a failed run, and that nothing is left.
fn refused(lab: &GuestLab, ran: &Ran, code: i32, message: &str, hint: &str) {
    assert_eq!(ran.code, code, "{ran:?}");
    let text = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        text.contains(&format!("error: {message}")),
        "{message}: {text}"
    );
    assert!(text.contains(&format!("hint: {hint}")), "{hint}: {text}");
    lab.nothing_is_left(message);
}

#[test]
fn bad_requests_are_refused_and_leave_nothing() {
    let Some(lab) = GuestLab::new("bad_requests_are_refused_and_leave_nothing") else {
        return;
    };
    let system = lab.fake_system().display().to_string();
    let kernel = format!("--kernel={}", lab.kernel.display());
    let check = |words: &[&str], code: i32, message: &str, hint: &str| {
        let ran = lab.run(&[&["run"], words].concat());
        refused(&lab, &ran, code, message, hint);
    };
    for name in ["a b", "a/b", "..", ""] {
        let message = format!("cannot use '{name}' as the name of a guest: ");
        check(
            &[&system, &format!("--name={name}")],
            2,
            &message,
            "choose another name with --name",
        );
    }
    check(
        &["/nonexistent"],
        2,
        "cannot start a guest from /nonexistent: ",
        "build the system with",
    );
    let home = lab.env.path("home").display().to_string();
    check(
        &[&home],
        5,
        &format!("cannot start a guest from {home}: it contains no boot.json"),
        "pass the toplevel",
    );
    check(
        &[&system],
        2,
        "cannot start the guest: the system has no kernel",
        "pass --kernel FILE",
    );
    let not_kernel = format!("--kernel={}", lab.initrd.display());
    check(
        &[&system, &not_kernel],
        2,
        "cannot start the guest: ",
        "pass the file arch/x86/boot/bzImage",
    );
    let missing = [&system, &kernel, "--share=src=/nonexistent"];
    check(
        &missing,
        2,
        "cannot share /nonexistent with the tag src: ",
        "create the directory",
    );
    check(
        &[&system, &kernel, "--share=a b=/tmp"],
        2,
        "cannot share a folder with the tag 'a b'",
        "choose another tag",
    );
    check(
        &[&system, &kernel, "--initrd=/nonexistent"],
        5,
        "cannot start the guest: its initrd /nonexistent does not exist",
        "build the system again",
    );
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let ssh = format!("--ssh={port}");
    let store = format!("--share=store={}", lab.env.path("fake-store").display());
    let busy: [&str; 4] = [&system, &kernel, &ssh, &store];
    check(
        &busy,
        5,
        &format!("cannot forward port {port} to the guest: "),
        "choose another port with --ssh PORT",
    );
    for command in [
        &["stop", "vm9"][..],
        &["ssh", "vm9"],
        &["logs", "vm9"],
        &["exec", "vm9", "--", "true"],
        &["console", "vm9"],
    ] {
        let ran = lab.run(command);
        refused(
            &lab,
            &ran,
            5,
            "cannot find the guest vm9: ",
            "run `runtime-guest list`",
        );
    }
    let failed = lab.run(&["stop", "vm9", "--json"]).ends_with(5).json();
    assert_eq!(failed["error"]["kind"], "refused");
}

#[test]
fn bad_boot_json_is_refused() {
    let Some(lab) = GuestLab::new("bad_boot_json_is_refused") else {
        return;
    };
    let system = lab.fake_system();
    let path = system.join("boot.json");
    let text = fs::read_to_string(&path).expect("a boot.json");
    let shown = system.display().to_string();
    for (changed, message, hint) in [
        ("{".to_string(), "cannot read ", "build the system again"),
        (
            text.replace("x86_64-linux", "riscv64-linux"),
            "cannot start a guest from ",
            "build the system for x86_64-linux",
        ),
        (
            text.replace("runtime-module.guest.v1", "other"),
            "cannot start a guest from ",
            "import backends.imageless",
        ),
        (
            text.replace("-fake/init", "-fake/missing"),
            "cannot start the guest: its init ",
            "build the system again",
        ),
        (
            text.replace("\"store\":", "\"src\":\"/src\",\"store\":"),
            "cannot start the guest: it mounts tags without a folder: src (/src)",
            "pass --share TAG=DIR",
        ),
    ] {
        assert_ne!(changed, text);
        fs::write(&path, changed).expect("written");
        let ran = lab.boot("run", "vm1", &shown, &[]).end();
        let code = if message.contains("tags") { 2 } else { 5 };
        refused(&lab, &ran, code, message, hint);
    }
}

#[test]
fn missing_programs_are_named() {
    let Some(lab) = GuestLab::new("missing_programs_are_named") else {
        return;
    };
    let system = lab.fake_system().display().to_string();
    let mut command = lab.command(&["run", &system]);
    command.env("PATH", lab.env.path("home"));
    let ran = lab.env.start_running(command).end();
    refused(
        &lab,
        &ran,
        5,
        "cannot start the guest: qemu-system-x86_64 is not installed",
        "install QEMU",
    );
    let mut command = lab.command(&["run", &system]);
    command
        .env_remove("RUNTIME_GUEST_FOLDER")
        .env("RUNTIME_GUEST_FOLDER", "x".repeat(100));
    command.args(lab.hardware());
    let ran = lab.env.start_running(command).end();
    refused(
        &lab,
        &ran,
        5,
        "cannot use the folder ",
        "choose a shorter name with --name",
    );
}

#[test]
fn missing_kvm_virtiofsd_and_space_are_named() {
    const TEST: &str = "missing_kvm_virtiofsd_and_space_are_named";
    let Some(lab) = GuestLab::new(TEST) else {
        return;
    };
    let system = lab.fake_system().display().to_string();
    let hardware = lab.hardware();
    let mut words: Vec<&str> = vec!["run", &system];
    words.extend(hardware.iter().map(String::as_str));
    let with_kvm: Vec<&str> = words
        .iter()
        .map(|word| word.strip_suffix("=tcg").unwrap_or(word))
        .collect();
    let with_kvm: Vec<&str> = with_kvm
        .iter()
        .flat_map(|word| match *word {
            "--accelerator" => vec!["--accelerator", "kvm"],
            word => vec![word],
        })
        .collect();
    let no_kvm = "[ ! -e /dev/kvm ] || mount --bind /dev/null /dev/kvm";
    let no_virtiofsd = "for file in /usr/libexec/virtiofsd /usr/lib/qemu/virtiofsd /usr/bin/virtiofsd; do \
        [ ! -e $file ] || mount --bind /dev/null $file; done";
    let no_space = "mount -t tmpfs -o size=200k none \"$RUNTIME_GUEST_FOLDER\"";
    for (script, words, message, hint) in [
        (
            no_kvm,
            &with_kvm,
            "cannot use KVM: ",
            "omit --accelerator kvm",
        ),
        (
            no_virtiofsd,
            &words,
            "cannot start the guest: virtiofsd is not installed",
            "install virtiofsd",
        ),
        (no_space, &words, "cannot write ", "free some space"),
    ] {
        let Some(ran) = lab.run_with_mounts(TEST, script, words) else {
            return;
        };
        refused(&lab, &ran, 5, message, hint);
    }
}

#[test]
fn guests_that_cannot_boot_are_explained() {
    let Some(lab) = GuestLab::new("guests_that_cannot_boot_are_explained") else {
        return;
    };
    let system = lab.fake_system().display().to_string();
    let ran = lab
        .boot("run", "vm1", &system, &["--append=rdinit=/nonexistent"])
        .end();
    refused(
        &lab,
        &ran,
        5,
        "the kernel of the guest vm1 did not run the initrd: ",
        "build the kernel with BLK_DEV_INITRD",
    );
    let ran = lab
        .boot("run", "vm1", &system, &["--append=init=/bin/missing"])
        .end();
    refused(
        &lab,
        &ran,
        5,
        "the guest vm1 cannot start its init: ",
        "remove `init=` and `rdinit=` from --append",
    );
    // This initrd has no drivers.
    let initrd = lab.env.path("initrd-without-virtio").display().to_string();
    let mut words = vec![
        "run".to_string(),
        system,
        "--name=vm1".into(),
        format!("--initrd={initrd}"),
    ];
    words.extend(
        lab.hardware()
            .into_iter()
            .filter(|word| !word.starts_with("--initrd")),
    );
    let ran = lab.run(&words);
    refused(
        &lab,
        &ran,
        5,
        "the kernel of the guest vm1 cannot mount the store: ",
        "build VIRTIO_PCI, FUSE_FS and VIRTIO_FS",
    );
}

#[test]
fn second_guest_of_a_name_is_refused() {
    let Some(lab) = GuestLab::new("second_guest_of_a_name_is_refused") else {
        return;
    };
    let system = lab.fake_system().display().to_string();
    let mut first = lab.boot("run", "vm1", &system, &["--append=test.hang"]);
    first.until("QEMU runs");
    let second = lab.boot("run", "vm1", &system, &[]).end().ends_with(5);
    assert!(
        second
            .stderr
            .contains("cannot start the guest vm1: a guest with this name is already running"),
        "{second:?}"
    );
    // Another name is free, and a folder of its own.
    let other = lab
        .boot("run", "vm2", &system, &["--append=init=/bin/missing"])
        .end();
    assert!(
        other.stderr.contains("the guest vm2 cannot start its init"),
        "{other:?}"
    );
    lab.run(&["stop", "vm1", "--now"]).ok();
    first.end().ok();
    lab.nothing_is_left("after both guests");
}
