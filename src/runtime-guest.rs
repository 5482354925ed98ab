//! The program that starts guests: see `crates/guest`.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime_module_guest::main()
}
