//! `__schema`: prints the JSON Schema of the documents of one kind, from the types of the program.

use anyhow::Result;
use serde_json::Value;

use runtime_module_bench::{BenchResult, Differences};
use runtime_module_core::baked::Baked;
use runtime_module_core::choice::SchemaName;
use runtime_module_core::error_output::FailureDocument;
use runtime_module_core::json_schema::{SchemaBuilder, Writer};
use runtime_module_core::output::{document, say};
use runtime_module_core::progress::ProgressEvent;
use runtime_module_core::report::{ChangeReport, EndReport, History};
use runtime_module_guest::documents::{
    AppliedGuests, ConsoleEnd, ConsoleOutput, ExecutedCommand, GuestList, GuestState, StoppedGuests,
};
use runtime_module_light::documents::{
    ModuleList, OverrideDifferences, OverrideHistory, OverrideList, OverridesAfter, StatusResult,
    VerifyReport,
};
use runtime_module_nix::check::{CheckDocument, CheckEnd, CheckRow};

use super::cache::{CacheCleared, CacheList, CacheStats};
use super::prefetch::Prefetched;

pub fn run(name: SchemaName) -> Result<()> {
    say(document(&schema(name))?)
}

fn schema(name: SchemaName) -> Value {
    match name {
        SchemaName::Output => output(),
        SchemaName::Event => SchemaBuilder::new(Writer::Program).only::<ProgressEvent>(
            "A line of --progress events",
            "Readers must ignore unknown fields and events, because new ones can be added within a schema version. docs/events.md describes the events.",
        ),
        SchemaName::Bench => SchemaBuilder::new(Writer::Program).only::<BenchResult>(
            "A result of `runtime-module bench`, as written by --export-json and --json",
            "Times are in milliseconds unless a field's description says seconds. Sizes are in bytes. Fields can be added within a schema version; `schema` changes if a field changes its meaning.",
        ),
        SchemaName::Config => SchemaBuilder::new(Writer::Other).only::<Baked>(
            "/etc/runtime-modules/config.json",
            "The configuration that the NixOS module services.runtimeModules writes for the program. New fields may be added to a schema.",
        ),
    }
}

fn output() -> Value {
    SchemaBuilder::new(Writer::Program)
        .document::<ChangeReport>()
        .document::<EndReport>()
        .document::<ModuleList>()
        .document::<StatusResult>()
        .document::<History>()
        .document::<CacheList>()
        .document::<CacheStats>()
        .document::<CacheCleared>()
        .document::<Prefetched>()
        .document::<CheckDocument<'_>>()
        .document::<CheckRow>()
        .document::<CheckEnd<'_>>()
        .document::<Differences>()
        .document::<OverrideList>()
        .document::<OverrideHistory>()
        .document::<OverridesAfter>()
        .document::<OverrideDifferences>()
        .document::<GuestState>()
        .document::<GuestList>()
        .document::<AppliedGuests>()
        .document::<StoppedGuests>()
        .document::<ConsoleEnd>()
        .document::<ConsoleOutput>()
        .document::<ExecutedCommand>()
        .document::<VerifyReport>()
        .document::<FailureDocument>()
        .any(
            "The documents of --json",
            "Each command except `overrides export` prints one of these documents on stdout; docs/json.md describes them. docs/bench.schema.json describes the documents of all benchmarks except `bench diff`. Fields can be added within a schema version.",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [(SchemaName, &str); 4] = [
        (SchemaName::Output, "docs/schemas/output.schema.json"),
        (SchemaName::Event, "docs/schemas/event.schema.json"),
        (SchemaName::Bench, "docs/bench.schema.json"),
        (
            SchemaName::Config,
            "nixos/runtime-modules/config.schema.json",
        ),
    ];

    #[test]
    fn schemas_are_up_to_date() {
        for (name, path) in FILES {
            let file = format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"));
            let file = std::fs::read_to_string(file);
            let text = document(&schema(name)).expect("a schema is JSON");
            assert!(
                file.is_ok_and(|file| file == text),
                "{path} is outdated: run scripts/docs"
            );
        }
    }

    #[test]
    fn every_field_has_a_description() {
        for (name, path) in FILES {
            check_fields(&schema(name), path);
        }
    }

    /// Checks that each field of a schema has a description that does not mention Rust's `None`.
    fn check_fields(schema: &Value, place: &str) {
        let described = |field: &Value| {
            let text = field["description"].as_str().unwrap_or_default();
            !text.is_empty() && !text.contains("`None`")
        };
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            // The tag of an enum needs no description, because its constant names the variant.
            let tag = field["const"].is_string();
            assert!(tag || described(field), "{place}: {name}: {field}");
        }
        match schema {
            Value::Object(below) => {
                for (name, one) in below {
                    check_fields(one, &format!("{place} {name}"));
                }
            }
            Value::Array(below) => below.iter().for_each(|one| check_fields(one, place)),
            _ => {}
        }
    }
}
