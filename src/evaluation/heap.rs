//! How large a heap the evaluator begins with.
//!
//! libgc collects when its heap is full, and grows it in small steps; an evaluation of a whole NixOS that begins with a
//! heap it never fills is a quarter faster. Pages that are not touched cost nothing.

use std::fs;

/// Memory that must be available before the evaluator is given a heap that it never has to collect.
const PLENTY: u64 = 4 << 30;

/// Beyond this a larger heap gains nothing: a large NixOS host allocates less in one evaluation.
const LARGEST: u64 = 4 << 30;

/// How to treat the machine's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// libnix's own choice: less memory, a little slower.
    Low,
    /// A heap that a normal evaluation never fills, where the machine has it to spare.
    Plenty,
    /// What the environment says (`GC_INITIAL_HEAP_SIZE`).
    Environment,
}

impl Memory {
    /// The heap to begin with, bytes; none for libnix's own choice.
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

/// Memory that can be used without swapping, bytes.
pub fn available() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

/// The largest resident memory that this process has had, bytes.
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
    fn a_small_machine_keeps_the_default() {
        assert_eq!(choose(PLENTY - 1), None);
        assert_eq!(choose(PLENTY), Some(2 << 30));
        assert_eq!(choose(64 << 30), Some(LARGEST));
    }

    #[test]
    fn this_machine_says_how_much_it_has() {
        assert!(available().is_some_and(|bytes| bytes > 1 << 20));
        assert!(peak() > 1 << 20);
    }
}
