//! The initial heap of the evaluator.
//!
//! libgc collects when its heap is full, and grows it in small steps. The evaluation of a NixOS
//! system is a quarter faster if it starts with a heap that it never fills. Untouched pages cost
//! nothing.

use std::fs;

/// Available memory that is required for a heap that never needs a collection.
const PLENTY: u64 = 4 << 30;

/// Maximum initial heap. A larger heap gains nothing, because one evaluation of a large NixOS host
/// allocates less.
const LARGEST: u64 = 4 << 30;

/// The choice of the initial heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// The default of libnix, which uses less memory and is slower.
    Low,
    /// A heap that a normal evaluation never fills, if the machine has enough memory.
    Plenty,
    /// As set in the environment (`GC_INITIAL_HEAP_SIZE`).
    Environment,
}

impl Memory {
    /// Returns the initial heap in bytes, or `None` for the default of libnix.
    pub fn initial_heap(self) -> Option<u64> {
        match self {
            Self::Low | Self::Environment => None,
            Self::Plenty => choose(available()?),
        }
    }
}

fn choose(available: u64) -> Option<u64> {
    (available >= PLENTY).then(|| (available / 2).min(LARGEST))
}

/// Returns the memory in bytes that can be used without swapping.
pub fn available() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

/// Returns the peak resident memory of this process in bytes.
pub fn peak() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .map_or(0, |kilobytes| kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_machine_uses_the_default_heap() {
        assert_eq!(choose(PLENTY - 1), None);
        assert_eq!(choose(PLENTY), Some(2 << 30));
        assert_eq!(choose(64 << 30), Some(LARGEST));
    }

    #[test]
    fn available_and_peak_memory_are_read() {
        assert!(available().is_some_and(|bytes| bytes > 1 << 20));
        assert!(peak() > 1 << 20);
    }
}
