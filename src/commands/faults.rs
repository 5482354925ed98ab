//! `__faults`: prints the points at which tests can inject faults.

use anyhow::Result;

use crate::error::Failure;
use crate::fault;
use crate::output::say;

pub fn run() -> Result<()> {
    if !fault::POSSIBLE {
        return Err(Failure::Refused
            .error("cannot list faults: this is a release build")
            .hint("use a debug build")
            .into());
    }
    say(fault::table())
}
