//! A result as CSV, for other programs.

use std::fmt::Write as _;

use anyhow::Result;

use super::samples::BenchResult;

/// Formats a result as CSV, with one line for each sample.
pub fn csv(outcome: &BenchResult) -> Result<String> {
    let mut text = String::from(
        "series,round,milliseconds,process,lock,ran,waited,others,thunks,functionCalls,primopCalls,allocatedBytes,collections,peakBytes\n",
    );
    for one in &outcome.series {
        let name = one.name.replace('"', "\"\"");
        for sample in &one.samples {
            let times = [
                sample.process,
                sample.lock,
                sample.ran,
                sample.waited,
                sample.others,
            ];
            let times = times.map(|time| time.map_or_else(String::new, |time| time.to_string()));
            let counters = sample.counters.as_ref().map(|counted| {
                [
                    counted.thunks,
                    counted.function_calls,
                    counted.primop_calls,
                    counted.allocated_bytes,
                    counted.collections,
                    counted.peak_bytes,
                ]
                .map(|number| number.to_string())
            });
            let counters = counters.unwrap_or_default();
            writeln!(
                text,
                "\"{name}\",{},{},{},{}",
                sample.round,
                sample.milliseconds,
                times.join(","),
                counters.join(",")
            )?;
        }
    }
    Ok(text)
}
