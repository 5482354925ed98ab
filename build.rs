//! Hands on what nix-ffi's build script found: the version strings, and where the executable finds libnix at run time.

fn main() {
    let libnix = std::env::var("DEP_NIX_FFI_VERSION").unwrap_or_default();
    println!("cargo:rustc-env=RUNTIME_MODULE_LIBNIX={libnix}");
    if let Ok(dir) = std::env::var("DEP_NIX_FFI_LIBDIR") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{dir}");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
