//! The program that users run: see `crates/light`.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime_module_light::main()
}
