//! Adds extra modules: copies them to the store or locks them, so that evaluation stays pure and
//! reproducible.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::error::PipelineError;
use crate::evaluation::{ToPin, pin};
use crate::libnix::{Libnix, interruptible};
use crate::plan::Additions;
use crate::plan::Host;
use crate::record::ExtraModule;
use crate::session::NixSession;

/// The attribute of a flake that contains the module, if the reference names no attribute. The
/// `nix` command has the same default.
const USUAL: &str = "default";

/// Returns the extra modules that are kept, followed by the new ones. Protects the sources of all
/// with temporary GC roots.
pub fn add_extra_modules(
    session: &NixSession,
    libnix: &Libnix,
    additions: &Additions,
) -> Result<Vec<ExtraModule>> {
    let mut extras = additions.kept.clone();
    for name in &additions.new {
        session.interrupts.check()?;
        let extra = interruptible(&session.interrupts, || {
            one(session, libnix, name, additions.keep)
        });
        extras.push(extra??);
    }
    for path in extras.iter().map(|extra| &extra.source) {
        libnix.store.add_temp_root(path)?;
    }
    Ok(extras)
}

fn one(session: &NixSession, libnix: &Libnix, name: &str, keep: bool) -> Result<ExtraModule> {
    let file = session.here.join(name);
    let is_flake = file.join("flake.nix").exists();
    if file.exists() && !is_flake {
        return Ok(ExtraModule {
            name: name.into(),
            source: add(libnix, name, &file)?,
            flake: None,
            keep,
        });
    }
    if !is_flake && !name.contains(['#', ':']) {
        let module = name.into();
        return Err(PipelineError::NoModuleFile { module }.into());
    }
    let what = ToPin {
        reference: name,
        shown: name,
        base: &session.here,
        input_overrides: &[],
        host: &Host::Usual(USUAL.into()),
        of: None,
    };
    let (pin, _) = pin(libnix, &what)?;
    Ok(ExtraModule {
        name: name.into(),
        source: pin.source.clone(),
        flake: Some(Box::new(pin)),
        keep,
    })
}

/// Copies a file or folder to the store, where every user can read it.
fn add(libnix: &Libnix, name: &str, file: &Path) -> Result<String> {
    let real = file
        .canonicalize()
        .with_context(|| format!("cannot resolve the path of --module {name}"))?;
    let added = libnix.store.add_file(&store_name(&real), &real);
    added.with_context(|| {
        format!(
            "cannot copy --module {name} ({}) to the store",
            real.display()
        )
    })
}

/// Makes a name that the store allows.
fn store_name(file: &Path) -> String {
    let name = file
        .file_name()
        .map_or_else(Default::default, |name| name.to_string_lossy());
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+-._?=".contains(c);
    let name: String = name
        .chars()
        .map(|c| if allowed(c) { c } else { '-' })
        .take(100)
        .collect();
    match name.trim_start_matches('.') {
        "" => "module".into(),
        name => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn store_name_of_any_file_is_valid() {
        let name = |file: &str| store_name(Path::new(file));
        assert_eq!(name("/a/my module.nix"), "my-module.nix");
        assert_eq!(name("/a/.hidden"), "hidden");
        assert_eq!(name("/"), "module");
        assert_eq!(name("/a/ü.nix"), "-.nix");
    }
}
