//! libgit2, which libnix uses to read git trees and to cache unpacked archives.

use std::env;
use std::ffi::CStr;

use unix::libc;

use crate::fork::threads;

/// The environment variables that name OpenSSL's certificate file. The patched OpenSSL of nixpkgs
/// reads the first one before the second one. An unpatched OpenSSL reads only the second one.
const CERTIFICATES: [&str; 2] = ["NIX_SSL_CERT_FILE", "SSL_CERT_FILE"];

/// Starts libgit2 before libnix does, without the machine's certificates. Returns whether that was
/// possible.
///
/// When libgit2 starts, it parses all certificates, which takes longer than reading a tree of 5,000
/// files. It needs them only for its own HTTPS connections. Nix uses `git` to fetch repositories
/// and curl to fetch archives, and both load certificates themselves (`src/libfetchers`, 2.26 to
/// 2.35). If a later release used an HTTPS connection of libgit2, that connection would be refused,
/// not accepted unchecked.
///
/// Works only while the process has one thread, because it temporarily changes environment
/// variables.
#[doc(alias = "git_libgit2_init")]
pub fn start_git() -> bool {
    const INIT: &CStr = c"git_libgit2_init";
    if threads().unwrap_or(0) != 1 {
        return false;
    }
    // SAFETY: the name is NUL-terminated; the symbol is found only if libnix has loaded the
    // library.
    let init = unsafe { libc::dlsym(libc::RTLD_DEFAULT, INIT.as_ptr()) };
    if init.is_null() {
        return false;
    }
    // SAFETY: the signature is `int git_libgit2_init(void)` in every release of libgit2 that libnix
    // can be linked to.
    let init: extern "C" fn() -> libc::c_int = unsafe { std::mem::transmute(init) };
    let before = CERTIFICATES.map(|name| (name, env::var_os(name)));
    for (name, _) in &before {
        // SAFETY: the process has one thread, so no other one reads the environment.
        unsafe { env::set_var(name, "/dev/null") };
    }
    // libgit2 counts its initialisations. This one is never undone, so the later initialisation by
    // libnix does nothing.
    let started = init() > 0;
    for (name, value) in before {
        match value {
            // SAFETY: libgit2 has started no thread, so no other thread reads the environment.
            Some(value) => unsafe { env::set_var(name, value) },
            // SAFETY: libgit2 has started no thread, so removing a variable races with nothing.
            None => unsafe { env::remove_var(name) },
        }
    }
    started
}
