//! `__faults`: prints the points at which tests can inject faults.

use anyhow::Result;

use runtime_module_core::error::ProgramError;
use runtime_module_core::fault;
use runtime_module_core::output::say;

pub fn run() -> Result<()> {
    if !fault::POSSIBLE {
        return Err(ProgramError::NoFaults.into());
    }
    say(fault::table())
}
