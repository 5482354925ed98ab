//! The file with the effects of options that verifications have observed in this boot.

use std::fs;

use anyhow::Result;

use super::json::{SCHEMA, write_json};
use crate::fault::Point;
use crate::locations::Locations;
use crate::partial::Effects;

/// Reads the known effects. An unreadable file counts as empty, because effects only save time.
pub fn read(locations: &Locations) -> Effects {
    let text = fs::read(locations.effects()).unwrap_or_default();
    let effects: Effects = serde_json::from_slice(&text).unwrap_or_default();
    match effects.schema == SCHEMA {
        true => effects,
        false => Effects::default(),
    }
}

/// Replaces the known effects.
pub fn write(locations: &Locations, effects: &Effects) -> Result<()> {
    let mut effects = effects.clone();
    effects.schema = SCHEMA;
    write_json(&locations.effects(), &effects, Point::WriteEffects)
}
