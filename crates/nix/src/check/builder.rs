//! Builds the combinations that evaluate successfully, for `check --build`.

use anyhow::Result;

use super::{CheckRow, CheckStatus};
use crate::error::describe;
use crate::evaluation::{EvaluationRequest, EvaluationSource, Target, evaluate};
use crate::libnix::{Event, Libnix};
use crate::overrides::Definition;
use crate::realise::{query, realise};
use crate::record::Source;
use crate::registry::ModuleRequest;
use crate::session::NixSession;

/// Makes the request to evaluate a combination of modules.
pub(super) fn request(
    session: &NixSession,
    source: &Source,
    host: &str,
    modules: &[String],
) -> EvaluationRequest {
    let source = EvaluationSource::of(source, &session.here);
    EvaluationRequest {
        modules: modules
            .iter()
            .map(|name| ModuleRequest::named(name))
            .collect(),
        ..EvaluationRequest::of(session.settings(true, 0), source, host, Target::Toplevel)
    }
}

/// A builder of combinations that evaluate successfully.
pub struct Builder<'a> {
    session: &'a NixSession,
    source: &'a Source,
    overrides: Vec<Definition>,
    libnix: Libnix,
}

impl<'a> Builder<'a> {
    pub fn new(
        session: &'a NixSession,
        source: &'a Source,
        overrides: &[Definition],
    ) -> Result<Self> {
        let reporter = session.reporter.clone();
        let libnix = session.open_libnix(move |event: Event| reporter.libnix(event))?;
        Ok(Self {
            session,
            source,
            overrides: overrides.to_vec(),
            libnix,
        })
    }

    /// Evaluates the combination again and builds it. The second evaluation is necessary because a
    /// fork does not write its derivation.
    pub fn build(&self, row: &mut CheckRow) {
        let Self {
            session,
            source,
            overrides,
            libnix,
        } = self;
        let silent = crate::progress::Reporter::silent();
        let make = || -> Result<()> {
            let request = EvaluationRequest {
                overrides: overrides.clone(),
                ..request(session, source, &row.host, &row.modules)
            };
            let evaluation = evaluate(
                session.evaluator(&request.settings)?,
                &request,
                &session.interrupts,
                &silent,
            )?;
            let derivations: Vec<_> = evaluation.evaluated.toplevel.iter().cloned().collect();
            for derivation in &derivations {
                libnix.store.add_temp_root(&derivation.drv)?;
            }
            evaluation.release()?;
            let missing = query(libnix, &derivations, &session.reporter)?;
            realise(
                libnix,
                &derivations,
                missing,
                &session.interrupts,
                &session.reporter,
            )
            .map(drop)
        };
        if let Err(error) = make() {
            row.status = CheckStatus::NotBuilt;
            row.error = Some(describe(&error));
        }
    }
}
