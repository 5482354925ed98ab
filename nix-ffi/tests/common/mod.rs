//! Shared by all test files: a `main` (libnix and its collector must be initialised on the main
//! thread, which libtest keeps for itself), a private environment and store, and evaluators on
//! their own threads.

#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    reason = "each file uses a part; tests may unwrap"
)]

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

use nix_bindings_expr::eval_state::{gc_register_my_thread, init};
use nix_ffi::{EvaluatorBuilder, Event, NixError, NixEvaluator, NixStore, NixValue, StorePath};

/// The name and the function of a test.
pub(crate) type Test = (&'static str, fn());

/// The environment variable with the folder of a run; set once the environment is complete.
const FOLDER: &str = "NIX_FFI_TEST_DIR";

/// The events that libnix has reported since the last call to `take_events`.
static EVENTS: Mutex<Vec<Event>> = Mutex::new(Vec::new());

/// Lists the tests for [`main`]: each function with its name.
macro_rules! trials {
    ($($test:ident),* $(,)?) => { [$((stringify!($test), $test as fn())),*] };
}

pub(crate) use trials;

/// Runs the tests whose names contain one of the arguments, or all tests, one after the other.
pub(crate) fn main(tests: &[Test]) -> ExitCode {
    let Ok(folder) = std::env::var(FOLDER) else {
        return again_in_a_folder();
    };
    assert!(Path::new(&folder).is_dir());
    let has = |option: &str| std::env::args().any(|argument| argument == option);
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    if has("--list") {
        // cargo-nextest also asks for the ignored tests, and skips them. No test is ignored.
        let listed = tests.iter().filter(|_| !has("--ignored"));
        listed.for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let is_wanted = |name: &str| match has("--exact") {
        true => wanted.iter().any(|one| one == name),
        false => wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())),
    };
    open();
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in tests {
        if !is_wanted(name) {
            continue;
        }
        print!("test {name} ... ");
        std::io::stdout().flush().unwrap();
        let start = Instant::now();
        if catch_unwind(AssertUnwindSafe(test)).is_ok() {
            println!("ok ({} ms)", start.elapsed().as_millis());
            passed += 1;
        } else {
            println!("FAILED");
            failed += 1;
        }
    }
    println!("\ntest result: {passed} passed; {failed} failed\n");
    ExitCode::from(u8::from(failed > 0))
}

/// Starts this program again with the right environment, from which libnix reads its folders before
/// `main`.
fn again_in_a_folder() -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(std::env::args_os().skip(1));
    for (name, _) in std::env::vars_os() {
        // Remove the user's settings for Nix and git, and the variables in which a git hook names
        // its repository.
        let start = name.to_string_lossy();
        if ["NIX_", "GIT_", "XDG_", "_NIX_"]
            .iter()
            .any(|one| start.starts_with(one))
        {
            command.env_remove(&name);
        }
    }
    let status = command.envs(environment(folder.path())).status().unwrap();
    u8::try_from(status.code().unwrap_or(101)).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Returns the environment variables that isolate a test from its machine.
fn environment(folder: &Path) -> Vec<(&'static str, PathBuf)> {
    vec![
        (FOLDER, folder.into()),
        ("HOME", folder.join("home")),
        ("XDG_CACHE_HOME", folder.join("cache")),
        ("XDG_CONFIG_HOME", folder.join("config")),
        ("NIX_CONF_DIR", folder.join("etc")),
        ("NIX_USER_CONF_FILES", "/dev/null".into()),
        // The collector's marker threads would prevent forks.
        ("GC_MARKERS", "1".into()),
        // git must ignore the machine's settings, and needs a name for commits.
        ("GIT_CONFIG_GLOBAL", "/dev/null".into()),
        ("GIT_CONFIG_SYSTEM", "/dev/null".into()),
        ("GIT_AUTHOR_NAME", "test".into()),
        ("GIT_AUTHOR_EMAIL", "test@example.org".into()),
        ("GIT_COMMITTER_NAME", "test".into()),
        ("GIT_COMMITTER_EMAIL", "test@example.org".into()),
        // Fixed dates make commit hashes reproducible.
        ("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z".into()),
        ("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z".into()),
    ]
}

pub(crate) fn folder() -> PathBuf {
    std::env::var_os(FOLDER).unwrap().into()
}

/// Creates a folder in the folder of this run, unless it exists already.
pub(crate) fn fresh_folder(name: &str) -> PathBuf {
    let folder = folder().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder.canonicalize().unwrap()
}

/// Writes a file and creates its parent folders.
pub(crate) fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn open() {
    nix_ffi::init_process().unwrap();
    init().unwrap();
    nix_ffi::install_logger(|event| EVENTS.lock().unwrap().push(event)).unwrap();
    let settings = [
        ("extra-experimental-features", "nix-command flakes"),
        ("build-users-group", ""),
        ("sandbox", "false"),
        ("substituters", ""),
        ("build-hook", ""),
        ("builders", ""),
        ("timeout", "60"),
    ];
    for (name, value) in settings {
        assert_eq!(nix_ffi::set_setting(name, value), Ok(true), "{name}");
    }
}

/// Returns and clears the recorded events.
pub(crate) fn take_events() -> Vec<Event> {
    std::mem::take(&mut EVENTS.lock().unwrap())
}

/// Returns the store of this run, which is opened only once.
pub(crate) fn store() -> NixStore {
    static STORE: OnceLock<NixStore> = OnceLock::new();
    let open = || {
        let root = folder();
        let at = |name| root.join(name).display().to_string();
        let url = format!(
            "local?store={}&state={}&log={}",
            at("store"),
            at("var"),
            at("log")
        );
        NixStore::open(Some(&url)).unwrap()
    };
    STORE.get_or_init(open).clone()
}

/// An evaluator, used on its own thread.
pub(crate) struct TestEvaluator {
    pub(crate) state: NixEvaluator,
}

/// Runs `work` with a new evaluator with these `options`, on a new thread.
pub(crate) fn evaluate_with<T: Send>(
    options: &[(&str, &str)],
    work: impl FnOnce(&TestEvaluator) -> T + Send,
) -> T {
    let store = store();
    let run = || {
        let _guard = gc_register_my_thread().unwrap();
        let builder = EvaluatorBuilder::new(&store).unwrap();
        for (name, value) in options {
            assert_eq!(builder.set_setting(name, value), Ok(true), "{name}");
        }
        let state = builder.build().unwrap();
        work(&TestEvaluator { state })
    };
    on_a_thread(run)
}

/// Runs `work` on a thread with the stack size that evaluation needs.
pub(crate) fn on_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(64 << 20)
            .spawn_scoped(scope, work)
            .unwrap();
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Runs `work` with a new pure evaluator.
pub(crate) fn evaluate<T: Send>(work: impl FnOnce(&TestEvaluator) -> T + Send) -> T {
    evaluate_with(&[("pure-eval", "true")], work)
}

impl TestEvaluator {
    /// Evaluates an expression.
    pub(crate) fn value(&self, text: &str) -> Result<NixValue, NixError> {
        nix_ffi::apply(&self.state, text, "test.nix", &[])
    }

    /// Evaluates an expression deeply to JSON text.
    pub(crate) fn json(&self, text: &str) -> Result<String, NixError> {
        self.value(text)?.force_json(&self.state)
    }

    /// Returns the error of an expression.
    pub(crate) fn error(&self, text: &str) -> NixError {
        self.json(text).unwrap_err()
    }

    /// Instantiates a derivation with these attributes, of which `script` is a shell script.
    /// Returns its store path.
    pub(crate) fn derivation(&self, attributes: &str) -> StorePath {
        let text = format!(
            "with {{ sh = args: derivation ({{ system = \"{}-linux\"; builder = \"/bin/sh\"; args = [ \"-ec\" args.script ]; }} \
             // removeAttrs args [ \"script\" ]); }}; (sh ({attributes})).drvPath",
            std::env::consts::ARCH
        );
        path(&string(&self.json(&text).unwrap()))
    }
}

/// Parses a store path.
pub(crate) fn path(text: &str) -> StorePath {
    StorePath::parse(text).unwrap()
}

/// Returns the store path of a path in the store of this run that does not exist.
pub(crate) fn absent_path(name: &str) -> StorePath {
    let base = format!("store/00000000000000000000000000000000-{name}");
    path(folder().join(base).to_str().unwrap())
}

/// Returns the content of a JSON string.
pub(crate) fn string(json: &str) -> String {
    serde_json::from_str(json).unwrap()
}
