//! The realise stage: turns derivations into outputs in the store.

mod causes;
mod failures;
mod order;

use anyhow::Result;

use crate::error::{BuildError, KnownError};
use crate::evaluation::Derivation;
use crate::interrupt::Interrupts;
use crate::libnix::{BuildResult, Libnix, Missing, interruptible};
use crate::progress::Reporter;
use crate::timings::Phase;
use failures::{build_failure, call_failure, nix_failure};
pub use order::build_order;

/// The result of the realise stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Realised {
    /// Store paths of the outputs, in the order of the derivations.
    pub outputs: Vec<String>,
    /// The paths that had to be built or fetched.
    pub missing: Missing,
}

/// Returns the texts of frequent build failures, with hints.
pub fn known_failures() -> &'static [KnownError] {
    failures::KNOWN
}

/// Queries the paths that must be built or fetched.
pub fn query(libnix: &Libnix, derivations: &[Derivation], reporter: &Reporter) -> Result<Missing> {
    let paths = drvs(derivations);
    let missing = reporter
        .phase(Phase::Query, || libnix.store.query_missing(&paths))
        .map_err(|error| nix_failure(|reason| BuildError::NotQueried { reason }, &error))?;
    reporter.missing(&missing);
    Ok(missing)
}

/// Builds and fetches missing paths. Temporary GC roots keep the outputs while this process lives.
pub fn realise(
    libnix: &Libnix,
    derivations: &[Derivation],
    missing: Missing,
    interrupts: &Interrupts,
    reporter: &Reporter,
) -> Result<Realised> {
    let paths = drvs(derivations);
    // One call fetches and builds in parallel. Its time counts as building if anything is built.
    let phase = if missing.build.is_empty() {
        Phase::Fetch
    } else {
        Phase::Build
    };
    let nothing =
        missing.build.is_empty() && missing.fetch.is_empty() && missing.unknown.is_empty();
    let results = interruptible(interrupts, || match nothing {
        true => Ok(Vec::new()),
        false => reporter.phase(phase, || libnix.store.build(&paths)),
    })?;
    let results = results.map_err(|error| call_failure(libnix, &error))?;
    let failures: Vec<&BuildResult> = results.iter().filter(|result| !result.success).collect();
    if !failures.is_empty() {
        return Err(build_failure(libnix, &failures, &reporter.errors()).into());
    }
    for derivation in derivations {
        libnix
            .store
            .add_temp_root(&derivation.out)
            .map_err(|error| nix_failure(|reason| BuildError::NotKept { reason }, &error))?;
    }
    Ok(Realised {
        outputs: derivations
            .iter()
            .map(|derivation| derivation.out.clone())
            .collect(),
        missing,
    })
}

fn drvs(derivations: &[Derivation]) -> Vec<&str> {
    derivations
        .iter()
        .map(|derivation| derivation.drv.as_str())
        .collect()
}
