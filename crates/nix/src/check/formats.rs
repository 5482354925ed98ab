//! Machine-readable output of `check`: GitHub annotations and SARIF.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Value, json};

use super::{CheckRow, CheckStatus};
use crate::libnix::Position;
use crate::percent;

/// Returns all problems of a row: the error with details and hints, then the regressions.
pub(super) fn whole(row: &CheckRow) -> Option<String> {
    let error = row.error.as_ref().map(|error| {
        let hints = error.hints.iter().map(|hint| format!("hint: {hint}"));
        let lines = std::iter::once(error.message.clone())
            .chain(error.details.clone())
            .chain(hints);
        lines.collect::<Vec<_>>().join("\n")
    });
    let regressions = row.regressions.iter().map(|regression| {
        format!(
            "{}: {}, but {} in the baseline",
            regression.counter, regression.now, regression.before
        )
    });
    let all: Vec<String> = error.into_iter().chain(regressions).collect();
    (!all.is_empty()).then(|| all.join("\n"))
}

/// Returns the positions to annotate, as file, line and column: the position of the error,
/// otherwise the positions that the error mentions, otherwise the start of the module's file.
fn places(row: &CheckRow) -> Vec<(String, u32, u32)> {
    let at = |position: &Position| {
        (
            position.file.clone(),
            position.line.max(1),
            position.column.max(1),
        )
    };
    let declared = || row.declared.iter().map(|file| (file.clone(), 1, 1));
    match &row.position {
        Some(position) => vec![at(position)],
        None if row.named.is_empty() => declared().collect(),
        None => row.named.iter().map(at).collect(),
    }
}

/// Formats a row as GitHub workflow commands: an annotation for each warning and note, and the
/// problems as an annotation at each position.
pub(super) fn github(row: &CheckRow) -> String {
    let data = |text: &str| {
        text.replace('%', "%25")
            .replace('\r', "%0D")
            .replace('\n', "%0A")
    };
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let title = property(&format!("{}: {}", row.status.word(), row.subject()));
    let mut text = String::new();
    for warning in row.warnings.iter().chain(&row.notes) {
        let _ = writeln!(text, "::warning title={title}::{}", data(warning.trim()));
    }
    let Some(why) = whole(row) else { return text };
    let places = places(row);
    if places.is_empty() {
        let _ = writeln!(text, "::error title={title}::{}", data(&why));
    }
    for (file, line, column) in places {
        let _ = writeln!(
            text,
            "::error file={},line={line},col={column},title={title}::{}",
            property(&file),
            data(&why)
        );
    }
    text
}

/// Formats the rows as SARIF 2.1.0. `top` is the URI of the file for results without a position,
/// because code scanning requires a position.
pub(super) fn sarif(rows: &[CheckRow], top: &str) -> Result<String> {
    let result = |row: &CheckRow| -> Option<Value> {
        let mut places: Vec<(String, u32, u32)> = places(row)
            .into_iter()
            .map(|(file, line, column)| (percent::encode(&file), line, column))
            .collect();
        if places.is_empty() {
            places.push((top.into(), 1, 1));
        }
        let locations: Vec<Value> = places
            .into_iter()
            .map(|(uri, line, column)| {
                json!({ "physicalLocation": {
                    "artifactLocation": { "uri": uri, "uriBaseId": "%SRCROOT%" },
                    "region": { "startLine": line, "startColumn": column },
                } })
            })
            .collect();
        Some(json!({
            "ruleId": rule(row),
            "level": "error",
            "message": { "text": whole(row)? },
            "locations": locations,
        }))
    };
    let rules = [
        "failed",
        "conflict",
        "timed out",
        "too large",
        "died",
        "not built",
        "regression",
    ];
    let rules: Vec<Value> = rules
        .iter()
        .map(|name| json!({ "id": name.replace(' ', "-") }))
        .collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "runtime-module", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "results": rows.iter().filter_map(result).collect::<Vec<_>>(),
        }],
    });
    crate::output::document(&document)
}

fn rule(row: &CheckRow) -> String {
    match row.status {
        CheckStatus::Ok => "regression".into(),
        status => status.word().replace(' ', "-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a row as a run prints it, with some fields replaced.
    fn row(replaced: Value) -> CheckRow {
        let mut row = json!({
            "schema": 1, "host": "box", "modules": ["a"], "status": "ok", "drv": null, "sameAsHost": false,
            "needsReboot": [], "warnings": [], "importFromDerivation": false, "forked": true,
            "sharedPackages": true, "whyNotShared": null, "milliseconds": 1.0, "bytes": 1,
            "counters": crate::timings::Counters::default(), "error": null, "position": null, "files": [],
            "changed": null, "regressions": [],
        });
        let fields = row.as_object_mut().expect("an object");
        fields.extend(replaced.as_object().expect("an object").clone());
        serde_json::from_value(row).expect("a row")
    }

    #[test]
    fn every_result_has_a_position() {
        let error = json!({ "kind": "evaluation", "message": "x", "details": [], "hints": [] });
        let statuses = [
            "failed",
            "conflict",
            "timed-out",
            "too-large",
            "died",
            "not-built",
        ];
        let mut rows: Vec<CheckRow> = statuses
            .iter()
            .map(|status| row(json!({ "status": status, "error": error })))
            .collect();
        let grew = json!({ "regressions": [{ "counter": "thunks", "before": 1, "now": 2 }] });
        rows.push(row(grew.clone()));
        rows.push(CheckRow {
            declared: Some("runtime/a b#1.nix".into()),
            ..row(grew)
        });
        rows.push(row(json!({
            "status": "failed", "error": error,
            "position": { "file": "ü:%.nix", "line": 3, "column": 0 },
        })));
        rows.push(row(json!({})));
        let text = sarif(&rows, "hosts/flake.nix").expect("JSON");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        let results = document["runs"][0]["results"].as_array().expect("results");
        let report: Vec<String> = results
            .iter()
            .map(|result| {
                let place = &result["locations"][0]["physicalLocation"];
                let (uri, region) = (&place["artifactLocation"]["uri"], &place["region"]);
                let uri = uri.as_str().expect("a place");
                let (line, column) = (&region["startLine"], &region["startColumn"]);
                format!("{} {uri}:{line}:{column}", result["ruleId"])
            })
            .collect();
        assert_eq!(
            report,
            [
                "\"failed\" hosts/flake.nix:1:1",
                "\"conflict\" hosts/flake.nix:1:1",
                "\"timed-out\" hosts/flake.nix:1:1",
                "\"too-large\" hosts/flake.nix:1:1",
                "\"died\" hosts/flake.nix:1:1",
                "\"not-built\" hosts/flake.nix:1:1",
                "\"regression\" hosts/flake.nix:1:1",
                "\"regression\" runtime/a%20b%231.nix:1:1",
                "\"failed\" %C3%BC%3A%25.nix:3:1",
            ]
        );
    }
}
