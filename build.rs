//! Passes the version of libnix, and its location at run time, to everything that links libnix: the
//! program that evaluates, and the tests. All crates that link libnix share this script.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "build scripts write files and start programs"
)]

fn main() {
    if let Ok(dir) = std::env::var("DEP_NIX_FFI_LIBDIR") {
        let path = format!("-Wl,-rpath,{dir}");
        if std::env::var("CARGO_PKG_NAME").as_deref() == Ok("runtime-module") {
            // `runtime-module` does not link libnix.
            println!("cargo:rustc-link-arg-bin=runtime-module-nix={path}");
            println!("cargo:rustc-link-arg-tests={path}");
        } else {
            println!("cargo:rustc-link-arg={path}");
        }
    }
    let libnix = std::env::var("DEP_NIX_FFI_VERSION").unwrap_or_default();
    println!("cargo:rustc-env=RUNTIME_MODULE_LIBNIX={libnix}");
    println!("cargo:rerun-if-env-changed=DEP_NIX_FFI_LIBDIR");
}
