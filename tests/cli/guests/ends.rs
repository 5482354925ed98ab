//! The end of a guest: whatever ends first, no process, file, mount or GC root is left.

use std::time::Duration;

use unix::sys::signal::{Signal, kill};
use unix::unistd::Pid;

use crate::support::{GuestLab, RunningProgram};

/// The process to kill.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Supervisor,
    Virtiofsd,
    Qemu,
}

fn pid(value: &serde_json::Value) -> Pid {
    let number = value.as_i64().and_then(|pid| i32::try_from(pid).ok());
    Pid::from_raw(number.expect("a process id"))
}

/// Starts a guest that hangs in its initrd, and waits until its kernel runs.
fn hanging(lab: &GuestLab) -> RunningProgram {
    let system = lab.fake_system().display().to_string();
    let mut guest = lab.boot("run", "vm1", &system, &["--append=test.hang"]);
    guest.until("the kernel runs");
    guest
}

#[test]
fn interrupted_guest_leaves_nothing() {
    let Some(lab) = GuestLab::new("interrupted_guest_leaves_nothing") else {
        return;
    };
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let guest = hanging(&lab);
        guest.signal(signal);
        let ended = guest.end();
        assert_eq!(ended.code, 130, "{signal}: {ended:?}");
        assert!(
            ended
                .stderr
                .contains("error: interrupted; the guest vm1 was ended"),
            "{ended:?}"
        );
        lab.nothing_is_left(signal.as_str());
    }
}

#[test]
fn guest_of_a_killed_command_leaves_nothing() {
    let Some(lab) = GuestLab::new("guest_of_a_killed_command_leaves_nothing") else {
        return;
    };
    let guest = hanging(&lab);
    guest.signal(Signal::SIGKILL);
    guest.end();
    lab.nothing_is_left("after SIGKILL");
}

#[test]
fn guest_with_a_killed_process_leaves_nothing() {
    let Some(lab) = GuestLab::new("guest_with_a_killed_process_leaves_nothing") else {
        return;
    };
    for victim in [Victim::Qemu, Victim::Virtiofsd, Victim::Supervisor] {
        let guest = hanging(&lab);
        let state = lab.state("vm1");
        let processes = state["processes"].as_array().expect("processes");
        let killed = match victim {
            Victim::Supervisor => pid(&state["supervisor"]),
            Victim::Virtiofsd => pid(processes.first().expect("virtiofsd")),
            Victim::Qemu => pid(processes.last().expect("QEMU")),
        };
        kill(killed, Signal::SIGKILL).expect("killed");
        let ended = guest.end();
        assert_ne!(ended.code, 0, "{victim:?}: {ended:?}");
        let message = match victim {
            Victim::Qemu => "the guest vm1 ended early: QEMU was killed by SIGKILL",
            Victim::Virtiofsd => {
                "the guest vm1 ended early: virtiofsd of the tag store was killed by SIGKILL"
            }
            Victim::Supervisor => "lost the guest vm1: its supervisor ended unexpectedly",
        };
        assert!(ended.stderr.contains(message), "{victim:?}: {ended:?}");
        lab.processes().gone_within(Duration::from_secs(20));
        // The hint of the message removes what the supervisor could not remove.
        assert_eq!(lab.run(&["list"]).ok().stdout, "no guests are running\n");
        lab.nothing_is_left(&format!("{victim:?}"));
    }
}

#[test]
fn hanging_guest_is_stopped() {
    let Some(lab) = GuestLab::new("hanging_guest_is_stopped") else {
        return;
    };
    let guest = hanging(&lab);
    // The guest does not react to its power button.
    lab.run(&["stop", "vm1", "--timeout=200ms"]).ok();
    guest.end().ok();
    lab.nothing_is_left("after stop");
    let guest = hanging(&lab);
    let stopped = lab.run(&["stop", "vm1", "--now", "--json"]).ok().json();
    assert_eq!(stopped["stopped"][0], "vm1");
    guest.end().ok();
    lab.nothing_is_left("after stop --now");
}

#[test]
fn start_gives_up_on_a_hanging_guest() {
    let Some(lab) = GuestLab::new("start_gives_up_on_a_hanging_guest") else {
        return;
    };
    let system = lab.fake_system().display().to_string();
    let hang = ["--append=test.hang", "--timeout=8s"];
    let ended = lab.boot("start", "vm1", &system, &hang).end().ends_with(5);
    let message =
        "error: the guest vm1 did not reach multi-user within 8 s; its last milestone was ";
    assert!(ended.stderr.contains(message), "{ended:?}");
    lab.nothing_is_left("after the timeout");
    let interrupted = lab.boot("start", "vm1", &system, &hang);
    let mut interrupted = interrupted;
    interrupted.until("the kernel runs");
    interrupted.signal(Signal::SIGINT);
    interrupted.end().ends_with(130);
    lab.nothing_is_left("after Ctrl-C");
}
