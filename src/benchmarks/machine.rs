//! The machine that is measured on: what it is, and how busy.
//!
//! Reads the kernel's own files; writes nothing.

use std::fs;

use serde::{Deserialize, Serialize};

/// What it is, and how busy it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// The processor, as it calls itself.
    pub processor: String,
    /// How many of them.
    pub processors: usize,
    /// Memory, bytes.
    pub memory_bytes: u64,
    /// The kernel's release.
    pub kernel: String,
    /// How the kernel sets the processor's speed; null where it does not, or does not say.
    pub governor: Option<String>,
    /// The mean number of processes that want a processor, over the last minute, before the first run.
    pub load_before: f64,
    /// The same after the last one.
    pub load_after: f64,
}

impl Machine {
    /// As it is now.
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

    /// The last run has ended.
    pub fn ended(&mut self) {
        self.load_after = load();
    }

    /// Whether times of the two can be compared.
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
    fn this_machine_says_what_it_is() {
        let machine = Machine::look();
        assert!(machine.processors > 0 && machine.memory_bytes > 1 << 20);
        assert!(machine.kernel.contains('.'));
        assert!(machine.is_like(&machine.clone()));
    }
}
