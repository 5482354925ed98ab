//! libgit2, with which libnix reads git trees and keeps what it has unpacked.

use std::env;
use std::ffi::CStr;

use unix::libc;

use crate::fork::threads;

/// Where OpenSSL looks for certificates first: on Nixpkgs, and elsewhere.
const CERTIFICATES: [&str; 2] = ["NIX_SSL_CERT_FILE", "SSL_CERT_FILE"];

/// Starts libgit2 ahead of libnix, without the machine's certificates; whether that was possible.
///
/// At its start it parses all of them, which takes longer than to look at a tree of 5,000 files. They are for its own HTTPS
/// connections, and Nix makes none: repositories are fetched by `git`, archives by curl, which have certificates of their own
/// (`src/libfetchers`, 2.26 to 2.35). Should a later one try, it is refused, and not let through.
///
/// While a process has one thread only, as environment variables change for a moment; otherwise nothing is done.
pub fn start_git() -> bool {
    const INIT: &CStr = c"git_libgit2_init";
    if threads().unwrap_or(0) != 1 {
        return false;
    }
    // SAFETY: the name is a terminated string; libnix has loaded the library, or it is not found.
    let init = unsafe { libc::dlsym(libc::RTLD_DEFAULT, INIT.as_ptr()) };
    if init.is_null() {
        return false;
    }
    // SAFETY: `int git_libgit2_init(void)`, in every release of libgit2 that libnix can be linked to.
    let init: extern "C" fn() -> libc::c_int = unsafe { std::mem::transmute(init) };
    let before = CERTIFICATES.map(|name| (name, env::var_os(name)));
    for (name, _) in &before {
        // SAFETY: there is no other thread that could read the environment.
        unsafe { env::set_var(name, "/dev/null") };
    }
    // It counts who has started it, and is never ended: libnix starts it again, for nothing.
    let started = init() > 0;
    for (name, value) in before {
        match value {
            // SAFETY: as above; libgit2 starts no thread.
            Some(value) => unsafe { env::set_var(name, value) },
            // SAFETY: as above.
            None => unsafe { env::remove_var(name) },
        }
    }
    started
}
