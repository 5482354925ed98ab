//! The executable: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime_module::main()
}
