//! `__faults`: prints the points at which tests can inject faults.

use anyhow::Result;

use runtime_module_core::error::Failure;
use runtime_module_core::fault;
use runtime_module_core::output::say;

pub fn run() -> Result<()> {
    if !fault::POSSIBLE {
        return Err(Failure::Refused
            .error("cannot list faults: this is a release build")
            .hint("use a debug build")
            .into());
    }
    say(fault::table())
}
