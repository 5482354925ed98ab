//! The program that evaluates and builds: see `crates/full`.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime_module_full::main()
}
