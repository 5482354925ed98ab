//! What `check` says to machines: JUnit's XML, GitHub's annotations, SARIF.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Value, json};

use crate::checking::{Row, Status, Summary};
use crate::error::neutral;

/// What is wrong with a row, whole.
fn whole(row: &Row) -> Option<String> {
    let error = row.error.as_ref().map(|error| {
        let hints = error.hints.iter().map(|hint| format!("hint: {hint}"));
        let lines = std::iter::once(error.message.clone())
            .chain(error.details.clone())
            .chain(hints);
        lines.collect::<Vec<_>>().join("\n")
    });
    let regressions = row.regressions.iter().map(|regression| {
        format!(
            "{}: {}, and {} in the baseline",
            regression.counter, regression.now, regression.before
        )
    });
    let all: Vec<String> = error.into_iter().chain(regressions).collect();
    (!all.is_empty()).then(|| all.join("\n"))
}

/// The places that an error names: file, line and column, where they are known.
fn places(row: &Row) -> Vec<(String, u32, u32)> {
    if let Some(position) = &row.position {
        return vec![(
            position.file.clone(),
            position.line.max(1),
            position.column.max(1),
        )];
    }
    row.files.iter().map(|file| (file.clone(), 1, 1)).collect()
}

/// JUnit: a suite a host, a case each thing that was checked.
pub(super) fn junit(rows: &[Row], summary: &Summary) -> String {
    let seconds = |milliseconds: f64| format!("{:.3}", milliseconds / 1e3);
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        text,
        "<testsuites name=\"runtime-module check\" tests=\"{}\" failures=\"{}\" time=\"{}\">",
        summary.checked,
        summary.failed,
        seconds(summary.milliseconds)
    );
    for host in rows.chunk_by(|a, b| a.host == b.host) {
        let failures = host.iter().filter(|row| row.is_bad()).count();
        let name = xml(host.first().map_or("", |row| row.host.as_str()));
        let _ = writeln!(
            text,
            "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\">",
            host.len()
        );
        for row in host {
            let case = format!(
                "classname=\"{name}\" name=\"{}\" time=\"{}\"",
                xml(&row.subject()),
                seconds(row.milliseconds)
            );
            match whole(row) {
                Some(why) => {
                    let kind = if row.status == Status::Ok {
                        "regression"
                    } else {
                        row.status.word()
                    };
                    let first = xml(why.lines().next().unwrap_or_default());
                    let _ = writeln!(
                        text,
                        "    <testcase {case}>\n      <failure type=\"{kind}\" message=\"{first}\">{}</failure>\n    </testcase>",
                        xml(&why)
                    );
                }
                None => {
                    let _ = writeln!(text, "    <testcase {case}/>");
                }
            }
        }
        text += "  </testsuite>\n";
    }
    text + "</testsuites>\n"
}

/// Text inside of XML. Control characters cannot be in it, not even escaped.
fn xml(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(neutral).collect();
    let text = lines.join("\n").replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\n', "&#10;")
}

/// GitHub's workflow commands: an annotation at each place.
pub(super) fn github(row: &Row) -> String {
    let data = |text: &str| {
        text.replace('%', "%25")
            .replace('\r', "%0D")
            .replace('\n', "%0A")
    };
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let title = property(&format!("{}: {}", row.status.word(), row.subject()));
    let mut text = String::new();
    for warning in &row.warnings {
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

/// SARIF 2.1.0.
pub(super) fn sarif(rows: &[Row]) -> Result<String> {
    let result = |row: &Row| -> Option<Value> {
        let locations: Vec<Value> = places(row)
            .into_iter()
            .map(|(file, line, column)| {
                json!({ "physicalLocation": {
                    "artifactLocation": { "uri": file, "uriBaseId": "%SRCROOT%" },
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
    super::super::document(&document)
}

fn rule(row: &Row) -> String {
    match row.status {
        Status::Ok => "regression".into(),
        status => status.word().replace(' ', "-"),
    }
}
