//! Populates pages of the collector's heap in a separate thread shortly before they are used.
//!
//! The kernel clears a page when it is first touched, and the thread that touches it waits. These
//! waits are a quarter of the time that the evaluation of a whole NixOS system takes. If another
//! processor is free, it can clear pages in advance. The separate thread does not change the
//! content of pages, and does not touch pages that are not needed soon.

use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use unix::libc;

use crate::sys;

/// The minimum size of the heap for which the thread is started. A smaller heap grows during use,
/// and its new parts have other addresses.
const LARGE: usize = 1 << 30;

/// The number of bytes to populate in one call.
const STEP: usize = 1 << 20;

/// The minimum and maximum number of bytes to populate beyond the used part. Between these limits,
/// a quarter of the used part is populated. More would waste memory.
const AHEAD: (usize, usize) = (2 << 20, 32 << 20);

/// The polling interval while the used part grows: evaluation uses up 32 MiB in about 100 ms.
const SOON: Duration = Duration::from_millis(2);

/// The polling interval while the used part does not grow.
const LATER: Duration = Duration::from_millis(20);

/// Starts the thread if the initial heap is so large that the collector never runs. Call it after
/// libnix is initialised.
#[doc(alias = "GC_get_heap_size")]
#[doc(alias = "GC_get_free_bytes")]
#[doc(alias = "GC_is_heap_ptr")]
pub fn touch_ahead() -> io::Result<()> {
    // SAFETY: takes no arguments, and reads the size of the heap from the collector.
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
        // SAFETY: callable from this thread, which the collector does not know: it only computes the
        // used size from two counters, which may be out of date.
        let used = unsafe { sys::nix_ffi_heap_used() };
        if used != before {
            (before, moved) = (used, Instant::now());
        }
        // The used part is populated already.
        ready = ready.max(used / STEP * STEP);
        let wanted = used + (used / 4).clamp(AHEAD.0, AHEAD.1);
        while ready < wanted && ready + STEP <= size {
            let place = (start + ready) as *mut libc::c_void;
            // SAFETY: the range is inside the heap, which stays mapped; populating pages does not
            // change their content.
            if unsafe { libc::madvise(place, STEP, libc::MADV_POPULATE_WRITE) } != 0 {
                // The call fails on kernels before 5.14, and if no memory is free.
                return;
            }
            ready += STEP;
        }
        thread::sleep(if moved.elapsed() > LATER { LATER } else { SOON });
    }
}
