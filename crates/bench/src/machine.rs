//! The machine on which a benchmark runs: its hardware and its load.
//!
//! Reads files in `/proc` and `/sys`; writes nothing.

use std::fs;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A description of the machine and its load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MachineRecord {
    /// Model name of the processor.
    pub processor: String,
    /// Number of processors.
    pub processors: usize,
    /// The size of the memory in bytes.
    pub memory_bytes: u64,
    /// Release of the kernel.
    pub kernel: String,
    /// CPU frequency governor; null if the kernel reports none.
    pub governor: Option<String>,
    /// Load average of the last minute, before the first run.
    pub load_before: f64,
    /// Load average of the last minute, after the last run.
    pub load_after: f64,
}

impl MachineRecord {
    /// Describes this machine and its current load.
    pub fn look() -> Self {
        let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into());
        Self {
            processor,
            processors: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_bytes: field("/proc/meminfo", "MemTotal")
                .and_then(|text| text.strip_suffix("kB")?.trim().parse::<u64>().ok())
                .map_or(0, |kilobytes| kilobytes << 10),
            kernel: first_line("/proc/sys/kernel/osrelease").unwrap_or_default(),
            governor: first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            load_before: load(),
            load_after: 0.0,
        }
    }

    /// Records the load after the last run.
    pub fn ended(&mut self) {
        self.load_after = load();
    }

    /// Returns whether times from the two machines can be compared.
    pub fn is_like(&self, other: &Self) -> bool {
        (
            &self.processor,
            self.processors,
            self.memory_bytes,
            &self.kernel,
        ) == (
            &other.processor,
            other.processors,
            other.memory_bytes,
            &other.kernel,
        )
    }
}

fn load() -> f64 {
    first_line("/proc/loadavg")
        .and_then(|line| line.split(' ').next()?.parse().ok())
        .unwrap_or(0.0)
}

fn first_line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.lines().next()?.trim().to_string())
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_has_processors_memory_and_kernel() {
        let machine = MachineRecord::look();
        assert!(machine.processors > 0 && machine.memory_bytes > 1 << 20);
        assert!(machine.kernel.contains('.'));
        assert!(machine.is_like(&machine.clone()));
    }
}
