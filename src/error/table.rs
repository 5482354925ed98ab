//! Every message there is: of which kind it is, what it means, and what to do. `docs/errors.md` is made from it.
//!
//! `…` stands for what differs from case to case. Tests hold that each message in the program, and each that any test has
//! ever seen, stands here.

use super::Failure::{
    self, Build, Evaluation, Internal, Interrupted, NotActive, RebootNeeded, Refused, Returned,
    Stranded, UnitsFailed, Usage,
};

/// A message and what it means.
pub struct Row {
    /// Its kind, which gives the exit code.
    pub kind: Failure,
    /// How it reads.
    pub says: &'static str,
    /// What it means.
    pub means: &'static str,
    /// What to do next.
    pub next: &'static str,
}

const fn row(kind: Failure, says: &'static str, means: &'static str, next: &'static str) -> Row {
    Row {
        kind,
        says,
        means,
        next,
    }
}

/// All of them, in the order of the page.
#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    // What was asked for.
    row(Usage, "there … no … called …", "No module has this name, neither in the host's option nor in the flake's output.", "Take one of the names that are offered, or look at `runtime-module list`. A module that was only just declared is known after `runtime-module rebuild`."),
    row(Usage, "the argument '…' is not UTF-8", "Names and flake references are text; this argument holds bytes that are none.", "Reach a folder with such a name by a link with another one."),
    row(Usage, "the flake … has no host of this name", "`--host`, or the pinned host, is no entry of the flake's `nixosConfigurations`.", "Take one of the hosts that are listed."),
    row(Usage, "the host declares no runtime modules (it has no option services.runtimeModules), and the flake has no output runtimeModules", "The configuration knows nothing of runtime modules.", "Import this project's `nixosModules.default` in the host and declare modules (docs/modules.md)."),
    row(Usage, "list: host '…' declares no runtime module", "The option is there, and nothing is declared in it.", "Declare modules in `services.runtimeModules.modules` or in the flake's output `runtimeModules`."),
    row(Usage, "--option …: there is no such Nix setting", "`--option` takes settings of Nix, and this libnix has none of this name.", "`man nix.conf` lists them; mind the release."),
    row(Usage, "--option …: …", "The setting has another type than the value.", "Give it a value as `man nix.conf` describes."),
    row(Usage, "--ask: there is no terminal to ask on", "Input or output is a file or a pipe.", "Run it on a terminal, or without `--ask`."),
    row(Usage, "--changed-since …: … is no git tree", "Only git can tell what changed since a revision.", "Name a flake that is a git tree, or check all modules."),
    row(Usage, "rollback …: there is no such state of this boot to return to", "The number is no line of the history that can be returned to.", "`runtime-module history` lists them."),
    row(Usage, "no transaction is called '…'", "A role of the program was started by hand, or for a transaction that is over.", "Nothing needs to be done; roles are started by the program itself."),
    row(Usage, "there is no manual page …", "`__man`, with which packages are made, was asked for a page of another name.", "`runtime-module __man` lists the pages."),
    row(Usage, "read the baseline …", "The file of `--baseline` is not there or is none.", "`runtime-module check --format jsonl > FILE` makes one."),
    row(Usage, "RUNTIME_MODULE_FAULT=…: no fault is called that", "The variable, which is for tests, names no fault.", "Unset it. In a debug build `runtime-module __faults` lists what there is."),
    row(Usage, "--module …: there is no such file", "The extra module is to be a file, and there is none.", "Name a file, or a module of a flake: `REF#ATTR`."),
    row(Usage, "--module …: that flake has no such module", "The flake was had, and has nothing of that name.", "Take one of those that are offered."),
    row(Usage, "there is no specialisation '…'", "The configuration declares no specialisation of this name.", "Take one of those that are offered."),
    row(Usage, "… says nothing where nothing is evaluated", "The option says how to evaluate, and this command evaluates nothing.", "Leave it out."),
    // bench
    row(Usage, "read the path …: …", "An attribute path cannot be parsed.", "Names are parted by dots; quote one that has a dot in it: `'systemd.units.\"sshd.service\".text'`."),
    row(Usage, "there is no '…'", "The value to measure is not there.", "Take one of the names that are offered."),
    row(Usage, "… is a …, which has no attributes", "The path goes on below something that has no parts.", "End the path there, or quote a name that has a dot in it."),
    row(Usage, "it is a function, which cannot be forced deeply", "A function has no value to measure.", "Name what it returns, or measure with `--shallow`."),
    row(Usage, "bench options: --with extends a host, and --of names something else", "The two exclude each other.", "Leave one of them out."),
    row(Usage, "bench overrides: --value …", "The value is not JSON.", "Quote a text: `'\"like this\"'`."),
    row(Usage, "bench toggle: it measures the system that runs, on its own source", "It cannot measure another flake or host.", "Leave out `--flake`, `--host` and `--override-input`."),
    row(Usage, "bench: a budget of … is too small: one round takes …", "Nothing could be measured in that time.", "Give it more time, or say `--runs`."),
    row(Usage, "bench: there is nothing to measure: …", "The selection is empty.", "Name a module or a path that is there."),
    row(Usage, "bench compare: … looks like a revision, but is not a whole one", "An abbreviated revision could be another one tomorrow.", "Give all forty digits."),
    row(Usage, "bench compare: … is a revision, and … is no git tree", "Only a git tree has revisions.", "Name the two flakes instead."),
    row(Usage, "bench diff: the two have no series in common", "The results are of different measurements.", "Compare results of the same command."),
    row(Usage, "read …: it has schema …, and this program knows schema …", "The result file is of another release.", "Measure again, or use that release."),
    row(Usage, "read …: it is no result of a benchmark: …", "The file is something else, or cut.", "Result files are made with `--export-json`."),
    row(Usage, "read …: …", "The file is not there.", "Result files are made with `--export-json`."),
    row(Usage, "write …: it is a folder", "A result cannot be written there.", "Name a file. Nothing was measured."),
    row(Usage, "write …: …", "The folder of the file is not there.", "Name a file in a folder that is there and yours. Nothing was measured."),
    // Evaluation.
    row(Evaluation, "the flake … has no output nixosConfigurations", "The flake holds no NixOS configuration.", "Name the flake that does with `--flake`."),
    row(Evaluation, "cannot be extended (it has no extendModules)", "The entry of `nixosConfigurations` is not what `nixosSystem` returns.", "Make it with `nixpkgs.lib.nixosSystem`."),
    row(Evaluation, "it has no config.system.build.toplevel", "The configuration describes no system.", "Is it a NixOS configuration?"),
    row(Evaluation, "the module '…' is declared twice", "One name stands in two places, both of which are shown.", "Give one of the two another name."),
    row(Evaluation, "an assertion does not hold", "The configuration checks itself, and says what is wrong.", "Do what it says, or leave the module off."),
    row(Evaluation, "assertions do not hold", "The same, several times.", "Do what they say, or leave the module off."),
    row(Evaluation, "lock the flake …", "The flake reference names nothing that can be had, or the flake itself cannot be read.", "A reference is what Nix accepts: a folder with a `flake.nix`, `github:OWNER/REPO`, `git+https://…`, `path:…`."),
    row(Evaluation, "the input … cannot be had: …", "An input is a path that is not there.", "Correct it in `flake.nix`, or replace it for this run with `--override-input`."),
    row(Evaluation, "its flake.lock is damaged: …", "The lock file is no JSON, or names inputs that it does not hold.", "Take it from version control again, or remove it: inputs are then locked anew."),
    row(Evaluation, "its flake.lock has version …, which this libnix does not know", "Another release of Nix wrote the lock file.", "Lock the flake with this release, or build runtime-module with that libnix."),
    row(Evaluation, "the evaluator ran out of memory", "The collector got no more memory.", "`--low-memory` evaluates in less; see docs/performance.md."),
    row(Evaluation, "the evaluator was killed, for want of memory as a rule", "Somebody sent SIGKILL; `dmesg` says whether that was the kernel.", "`--low-memory`, or more memory."),
    row(Evaluation, "the evaluator gave up, for want of memory as a rule", "libnix aborted.", "`--low-memory`, or more memory."),
    row(Evaluation, "the evaluator ended without an answer, for want of memory as a rule", "The process is gone, and left no sign why.", "`--low-memory`; if it stays so, please report it."),
    row(Evaluation, "the evaluator died of …", "A signal ended it.", "Try again; if it stays so, please report it."),
    row(Evaluation, "the evaluation overflowed its stack", "A value or function needs itself without an end.", "`--option max-call-depth 1000` says earlier where."),
    row(Evaluation, "list the modules: it took too much time or memory", "`check` could not even list the modules within its limits.", "Raise `--timeout` or the limit of memory."),
    row(Evaluation, "check …: …", "A module of a `check` failed; the message is the same that `enable` would give.", "As for that message."),
    row(Evaluation, "check: … of … fail", "At least one combination cannot be evaluated; each is shown above.", "As for each message."),
    row(Evaluation, "evaluate host '…", "Nix or nixpkgs says what is wrong, in its own words. What to do about the most frequent ones stands below.", "The position and `--show-trace` show where."),
    row(Evaluation, "measure … of …", "The same, of a value that is measured.", "The position and `--show-trace` show where."),
    row(Evaluation, "measure lib.", "The same, of a value of the flake.", "The position and `--show-trace` show where."),
    // Build and fetch.
    row(Build, "cannot be fetched: …", "An input, or the flake itself, is out of reach. Which inputs are in the store is shown.", "Is the network up, does the source exist, may this user read it? `--override-input NAME path:FOLDER` takes a copy. `enable` without `--flake` needs no network."),
    row(Build, "build …: …", "A builder failed; its last lines are shown.", "`nix log DERIVATION` shows all of them. What to do about the most frequent reasons stands below."),
    row(Build, "build: …", "The store could not build at all.", "See below for the most frequent reasons. Nothing was changed."),
    row(Build, "ask the store what is missing", "The store does not answer.", "Is the Nix daemon running?"),
    row(Build, "keep what was built", "What was built could not be kept from the garbage collector.", "Run it again."),
    // Refused.
    row(Refused, "activate: only root may, and --elevate none forbids to ask for rights", "Changing the system needs root.", "Run it with sudo, or leave `--elevate` away."),
    row(Refused, "activate: only root may, and there is none of the programs that give rights", "Neither sudo, run0 nor doas is there.", "Run it as root."),
    row(Refused, "…: only root may", "The same, for what the activator does.", "Run it with sudo."),
    row(Refused, "get the rights to activate", "sudo, run0 or doas said no, or was interrupted.", "Try again with the right password, or ask whoever gives rights on this machine."),
    row(Refused, "another transaction is under way: …", "Another run of runtime-module activates, and is named.", "Wait, or say `--wait 60s`."),
    row(Refused, "another switch is under way: … holds …", "Something else, such as nixos-rebuild, switches the system.", "Wait until it is done."),
    row(Refused, "something else changed the system meanwhile: …", "State or system are not those that the plan was made for.", "Run it again: it plans anew."),
    row(Refused, "… waits to be confirmed", "A change is active, and returns by itself unless it is confirmed.", "`runtime-module confirm` keeps it, `runtime-module rollback` undoes it."),
    row(Refused, "… has not ended: …", "A transaction was interrupted, and nothing else is begun before it is ended.", "`runtime-module recover` returns; with `--finish` it goes on."),
    row(Refused, "nothing was interrupted", "There is nothing to recover.", "`runtime-module status` says what is on."),
    row(Refused, "nothing waits to be confirmed", "It was confirmed, or has returned already.", "`runtime-module history` says which."),
    row(Refused, "it is not known what ran before", "There is no system to return to.", "`runtime-module recover --finish` activates what was to run."),
    row(Refused, "not done, as you said; nothing was changed", "You answered no.", "Nothing."),
    row(Refused, "the activator died before it had begun; nothing was changed", "It was killed, or could not start.", "Try again; the log that is named says more."),
    row(Refused, "the activator died before it had changed anything", "It was killed in time.", "`runtime-module recover`, then try again."),
    row(Refused, "the activator is gone, and was not asked yet; nothing was changed", "It was killed while something was evaluated or built.", "Try again."),
    row(Refused, "it is not known which flake this machine's configuration comes from", "Nothing is baked and nothing is pinned.", "Name it with `--flake` and `--host`, or set `services.runtimeModules.flake = self`."),
    row(Refused, "rebuild: it is not known where newer sources come from", "`services.runtimeModules.flakeUrl` is not set.", "Set it, or say `--flake`."),
    row(Refused, "reset: it is not known which system ran before any module was enabled", "There is no state of this boot.", "Activate a system by nixos-rebuild, or `runtime-module apply`."),
    row(Refused, "rollback: there is no earlier state of this boot", "Nothing was changed since the boot.", "`runtime-module history` lists changes."),
    row(Refused, "its system, …, is no longer in the store", "The garbage collector took what is to be returned to.", "`runtime-module apply` evaluates and builds what is wanted again."),
    row(Refused, "the pinned source … is no longer in the store, and cannot be evaluated", "The garbage collector, or somebody, took the pinned source.", "`runtime-module rebuild` or `--flake` pins a source anew."),
    row(Refused, "…, which is to …, is not in the store", "Something that must be kept is not there.", "Run it again."),
    row(Refused, "this is the system of host '…', and this machine is '…'", "The flake's host has another name than the machine: a mistake, as a rule.", "Name the right one with `--host`; if it is meant, `--allow wrong-host`."),
    row(Refused, "what must not change while the machine runs would change: …", "The configuration declares switch inhibitors, and one of them differs.", "Reboot into the new system; if you know better, `--allow inhibitors`."),
    row(Refused, "is no whole NixOS system: it has no …", "What was built lacks parts of a system.", "Is it a NixOS configuration?"),
    row(Refused, "there is not enough space in …: … are needed, and … are free", "What is to be built or written does not fit.", "Collect garbage; if you know better, `--allow space`."),
    row(Refused, "open the store …: …", "The store cannot be opened: no daemon, an unknown kind, or one of a newer Nix.", "As the hint says; `--store` names another one."),
    row(Refused, "read …: it has schema …, and this program knows …", "Another release of runtime-module wrote the file.", "Use that release, or move the file away as the hint says."),
    row(Refused, "read …: the file is damaged: …", "A file of ours is no longer what was written.", "Move it away as the hint says; what is lost thereby is said there."),
    row(Refused, "read …: it does not name its schema", "The file is not one of ours, or is damaged.", "Move it away as the hint says."),
    row(Refused, "read the history …: line … is damaged", "A record in the middle of the history is damaged; nothing is written behind it.", "Move the file away as the hint says: the history of this boot is lost, nothing else."),
    row(Refused, "…: it is a symbolic link", "As root the program follows no link where it writes.", "Remove the link."),
    row(Refused, "…: permission denied", "Only root may write there.", "Run it with sudo."),
    row(Refused, "…: the file system is read-only", "State cannot be written.", "Is the machine in rescue mode, or its disk failing? `list` and `status` still work."),
    row(Refused, "…: no space is left", "State cannot be written. What was there before is whole.", "Make room there."),
    row(Refused, "arm the timer that returns unless confirmed: …", "`--confirm` needs a timer, and there is none.", "Run it without `--confirm`, or look at systemd."),
    row(Refused, "cache: …", "The folder of the cache cannot be used.", "`--cache` names another one."),
    row(Refused, "bench toggle: some of … are on, and some are off", "A toggle turns all of them on, or all off.", "Name modules that are all on or all off."),
    row(Refused, "bench toggle: not everything that is wanted is on, so there would be no way back to what runs", "The measurement could not end where it began.", "`runtime-module apply` first."),
    row(Refused, "bench: the flake … changed during the run: the run is void, and nothing was written", "Half of the samples would be of another source.", "Measure again, and leave the flake alone meanwhile."),
    row(Refused, "__faults: this build injects none", "It is a release build.", "Use a debug build."),
    // Activation.
    row(RebootNeeded, "the new system needs another init than the one that runs", "systemd's interface changed; nothing was activated.", "Make it the system of the next boot: `nixos-rebuild boot`, then reboot."),
    row(Returned, "; the previous system is active again", "The switch failed or a unit failed newly, and what ran before was activated again.", "The lines above say which script or unit; `journalctl -u UNIT` says why. `--on-failed-units keep` keeps a system whose units fail."),
    row(UnitsFailed, "the change is active all the same", "Units failed, and you said to keep the system.", "`systemctl status UNIT`; `runtime-module rollback` returns."),
    row(Stranded, "activate: the activator died: …", "It was killed while the switch program ran: the system may be half switched.", "`runtime-module recover` activates the previous system again, with `--finish` the new one."),
    row(Stranded, "and so did the return to the previous system", "The switch failed, and so did the way back.", "`runtime-module recover`; the lines above say which script or unit fails."),
    row(Stranded, "bench toggle: bring the system back to what it was: …", "The measurement left the system changed.", "`runtime-module status` says what is on; enable or disable what differs."),
    // The rest.
    row(NotActive, "not on", "`status NAME`: not every module that was named is active. For scripts.", "`runtime-module enable NAME`."),
    row(Interrupted, "interrupted; nothing was changed", "Ctrl-C, before anything was activated.", "Nothing."),
    row(Interrupted, "interrupted; the activation goes on without this terminal", "Ctrl-C during activation only lets go of it.", "`runtime-module status` says how it ends."),
    row(Interrupted, "interrupted; nothing was measured", "Ctrl-C, before there was a result.", "Nothing."),
    row(Interrupted, "interrupted; what was measured until then is above", "Ctrl-C during `bench`.", "Nothing."),
    row(Interrupted, "interrupted; the system was not brought back to what it was", "Ctrl-C during `bench toggle`.", "`runtime-module status` says what is on."),
    row(Internal, "write the result to stdout: …", "Nobody could be told the result: the file or pipe is full or closed. What was asked for is done.", "`runtime-module status` says what is on."),
    row(Internal, "open libnix: compiled against …, but … is loaded", "Nix promises no stable ABI.", "Build runtime-module against the libnix that is installed."),
    row(Internal, "fork an evaluator: …", "`check` could not fork; the job is evaluated in another way.", "If it is shown, please report it."),
    row(Internal, "activate: the request is malformed", "Somebody else than the program spoke to its role.", "If it was the program, please report it."),
    row(Internal, "activate: a line is no end", "A log of ours is not what was written.", "Please report it."),
];
