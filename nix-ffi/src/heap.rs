//! Populates pages of the collector's heap in a separate thread shortly before they are used.
//!
//! The kernel clears a page when it is first touched, and the thread that touches it waits. These
//! waits take a quarter of the time of evaluating a whole NixOS system. If another processor is
//! free, it can do that in advance. The thread neither reads nor writes the heap: the content of
//! pages stays, and pages that are not needed soon are not touched.

use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use unix::libc;

use crate::sys;

/// The minimum size: a smaller heap grows during use, at other addresses.
const LARGE: usize = 1 << 30;

/// Bytes to populate at once.
const STEP: usize = 1 << 20;

/// How far to populate ahead of the used part: a quarter of it, within these limits. More would waste memory.
const AHEAD: (usize, usize) = (2 << 20, 32 << 20);

/// The polling interval while the heap is in use: evaluation uses up 32 MiB in about 100 ms.
const SOON: Duration = Duration::from_millis(2);

/// The polling interval otherwise.
const LATER: Duration = Duration::from_millis(20);

/// Starts the thread, if the collector's initial heap is so large that it never collects. Call it once libnix is
/// initialised.
pub fn touch_ahead() -> io::Result<()> {
    // SAFETY: reads a counter of the collector.
    let size = unsafe { sys::nix_ffi_heap_size() };
    if size < LARGE {
        return Ok(());
    }
    let Some(start) = start()? else {
        return Ok(());
    };
    let name = thread::Builder::new().name("pages".into());
    name.spawn(move || touch(start, size)).map(drop)
}

/// Returns the start address of the heap.
fn start() -> io::Result<Option<usize>> {
    // SAFETY: libnix is initialised, and this is the thread that initialised it; the collector
    // keeps the object.
    let object = unsafe { sys::nix_ffi_heap_object() } as usize;
    let maps = fs::read_to_string("/proc/self/maps")?;
    let lower = maps.lines().find_map(|line| {
        let (low, high) = line.split_whitespace().next()?.split_once('-')?;
        let low = usize::from_str_radix(low, 16).ok()?;
        let high = usize::from_str_radix(high, 16).ok()?;
        (low..high).contains(&object).then_some(low)
    });
    // The kernel may merge a preceding mapping of other code into this one.
    let is_heap = |address: usize| {
        // SAFETY: the collector only compares the address; it does not read from it.
        unsafe { sys::nix_ffi_heap_has(address as *const _) }
    };
    Ok(lower.and_then(|lower| (lower..=object).step_by(4096).find(|page| is_heap(*page))))
}

fn touch(start: usize, size: usize) {
    let (mut ready, mut before) = (0, 0);
    let mut moved = Instant::now();
    while ready + STEP <= size {
        // SAFETY: reads a counter of the collector, at most out of date.
        let used = unsafe { sys::nix_ffi_heap_used() };
        if used != before {
            (before, moved) = (used, Instant::now());
        }
        // The used part is populated already.
        ready = ready.max(used / STEP * STEP);
        let wanted = used + (used / 4).clamp(AHEAD.0, AHEAD.1);
        while ready < wanted && ready + STEP <= size {
            let place = (start + ready) as *mut libc::c_void;
            // SAFETY: the range is inside the heap, which stays mapped; populating pages does not change their content.
            if unsafe { libc::madvise(place, STEP, libc::MADV_POPULATE_WRITE) } != 0 {
                // Kernels before 5.14 lack this call, and without free memory it fails.
                return;
            }
            ready += STEP;
        }
        thread::sleep(if moved.elapsed() > LATER { LATER } else { SOON });
    }
}
