//! Pages of the collector's heap, made ready by a thread of their own shortly before they are used.
//!
//! The kernel clears a page when it is touched first, while whoever touches it waits; for an evaluation of a whole NixOS that
//! is a quarter of its time. Where another processor is free, it can do that meanwhile. Nothing is read or written here: what a
//! page has in it stays, and what is not needed soon is not touched.

use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use unix::libc;

use crate::sys;

/// A heap that is smaller grows while it is used, elsewhere.
const LARGE: usize = 1 << 30;

/// How much is made ready at once, bytes.
const STEP: usize = 1 << 20;

/// How far ahead of what is in use: a quarter of that, within these limits. More than needed is memory for nothing.
const AHEAD: (usize, usize) = (2 << 20, 32 << 20);

/// How often to look while the heap is being used: 32 MiB are used up in about 100 ms.
const SOON: Duration = Duration::from_millis(2);

/// How often to look while it is not.
const LATER: Duration = Duration::from_millis(20);

/// Starts the thread, if the collector's heap began large enough never to be collected. After libnix is initialised.
pub fn touch_ahead() -> io::Result<()> {
    // SAFETY: reads numbers of the collector.
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

/// Where the heap begins.
fn start() -> io::Result<Option<usize>> {
    // SAFETY: libnix is initialised, and this is the thread that did it; the object is the collector's.
    let object = unsafe { sys::nix_ffi_heap_object() } as usize;
    let maps = fs::read_to_string("/proc/self/maps")?;
    let lower = maps.lines().find_map(|line| {
        let (low, high) = line.split_whitespace().next()?.split_once('-')?;
        let low = usize::from_str_radix(low, 16).ok()?;
        let high = usize::from_str_radix(high, 16).ok()?;
        (low..high).contains(&object).then_some(low)
    });
    // Below it there may be a mapping of somebody else's, which the kernel shows as one with it.
    let is_heap = |address: usize| {
        // SAFETY: an address is only compared.
        unsafe { sys::nix_ffi_heap_has(address as *const _) }
    };
    Ok(lower.and_then(|lower| (lower..=object).step_by(4096).find(|page| is_heap(*page))))
}

fn touch(start: usize, size: usize) {
    let (mut ready, mut before) = (0, 0);
    let mut moved = Instant::now();
    while ready + STEP <= size {
        // SAFETY: reads numbers of the collector.
        let used = unsafe { sys::nix_ffi_heap_used() };
        if used != before {
            (before, moved) = (used, Instant::now());
        }
        // What is in use already is ready.
        ready = ready.max(used / STEP * STEP);
        let wanted = used + (used / 4).clamp(AHEAD.0, AHEAD.1);
        while ready < wanted && ready + STEP <= size {
            let place = (start + ready) as *mut libc::c_void;
            // SAFETY: the range is in the heap, which stays mapped; pages are made to be there, and what is in them is left as it is.
            if unsafe { libc::madvise(place, STEP, libc::MADV_POPULATE_WRITE) } != 0 {
                // A kernel before 5.14 cannot, and one without memory must not.
                return;
            }
            ready += STEP;
        }
        thread::sleep(if moved.elapsed() > LATER { LATER } else { SOON });
    }
}
