//! Finds libnix, compiles the shim against it, generates the bindings, and tells dependent packages
//! (`DEP_NIX_FFI_*`) the version and location of libnix.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "build scripts write files and start programs"
)]

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};

/// The releases that the shim supports; the upper end is excluded.
const NIX_RELEASES: std::ops::Range<&str> = "2.26".."2.36";

/// The C++ libraries that the shim calls, and the C libraries whose handles it uses.
const LIBRARIES: [&str; 8] = [
    "nix-flake",
    "nix-fetchers",
    "nix-expr",
    "nix-store",
    "nix-util",
    "nix-expr-c",
    "nix-store-c",
    "nix-util-c",
];

/// The first release of libgc in which the typedefs that `gc_allocator.h` needs are public.
const LIBGC_WITH_PUBLIC_TYPEDEFS: [u32; 3] = [8, 2, 4];

fn main() {
    let libraries: Vec<_> = LIBRARIES.iter().map(|name| probe(name)).collect();
    let nix = &libraries[2];
    // The compiler searches the system include directories anyway, and listing them here would
    // break `#include_next`.
    let arch = env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets it");
    let system = [
        "/usr/include".to_owned(),
        format!("/usr/include/{arch}-linux-gnu"),
    ];
    let include: BTreeSet<&Path> = libraries
        .iter()
        .flat_map(|library| &library.include_paths)
        .map(PathBuf::as_path)
        .filter(|dir| !system.iter().any(|system| *dir == Path::new(system)))
        .collect();

    compile_shim(&nix.version, &include);
    generate_bindings(&include);
    // The shim is a static archive, so the libraries that it calls must follow it on the linker's
    // command line.
    for library in LIBRARIES {
        probe(library);
    }
    tell_dependents(nix);
}

fn probe(name: &str) -> pkg_config::Library {
    let found = pkg_config::Config::new()
        .range_version(NIX_RELEASES)
        .probe(name);
    found.unwrap_or_else(|error| {
        panic!(
            "cannot find libnix: pkg-config has no {name} of a supported release (at least {}, but older than {})\n{error}\n\
             run scripts/libnix (Debian) or enter `nix develop` (a machine with Nix), then build again",
            NIX_RELEASES.start, NIX_RELEASES.end
        )
    })
}

/// Returns the release in a version: `2.26.3` gives `(2, 26)`.
fn release(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

fn compile_shim(version: &str, include: &BTreeSet<&Path>) {
    let release = release(version);
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std(if release < (2, 31) { "c++2a" } else { "c++23" })
        .define("NIX_FFI_VERSION", format!("\"{version}\"").as_str())
        .include("shim")
        // Include Nix's headers as system headers, so that they cause no warnings.
        .flags(
            include
                .iter()
                .map(|dir| format!("-isystem{}", dir.display())),
        )
        .flag_if_supported("-Wno-missing-field-initializers")
        .flag_if_supported("-Wno-unused-parameter")
        // With optimisation, GCC 12 wrongly reports members of `std::variant` in Nix's types.
        .flag_if_supported("-Wno-maybe-uninitialized");
    if release < (2, 28) {
        // The layout of `EvalState` depends on macros in headers that Nix's headers do not include
        // themselves.
        for config in ["config-util.hh", "config-store.hh", "config-expr.hh"] {
            build.flag("-include").flag(config);
        }
    }
    if libgc_version() < LIBGC_WITH_PUBLIC_TYPEDEFS {
        build.flag("-fno-access-control");
    }
    for file in std::fs::read_dir("shim").expect("the shim is part of this package") {
        let file = file.expect("a folder entry can be read").path();
        println!("cargo:rerun-if-changed={}", file.display());
        if file.extension().is_some_and(|e| e == "cc") {
            build.file(file);
        }
    }
    build.compile("nix_ffi_shim");
}

fn libgc_version() -> [u32; 3] {
    let found = pkg_config::Config::new()
        .cargo_metadata(false)
        .probe("bdw-gc");
    let version = found.map(|l| l.version).unwrap_or_default();
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

fn generate_bindings(include: &BTreeSet<&Path>) {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("sys.rs");
    bindgen::Builder::default()
        .header("shim/nix_ffi.h")
        // C23, because the C API marks functions with [[deprecated]].
        .clang_arg("-std=c2x")
        .clang_args(include.iter().map(|dir| format!("-I{}", dir.display())))
        .allowlist_item("nix_ffi_.*")
        .allowlist_function("nix_c_context_(create|free)")
        .allowlist_function("nix_err_code")
        .allowlist_function("nix_version_get")
        .allowlist_function("nix_eval_state_builder_load")
        .allowlist_type("nix_err")
        .merge_extern_blocks(true)
        .layout_tests(false)
        .parse_callbacks(Box::new(bindgen::CargoCallbacks::new()))
        .generate()
        .expect("bindgen reads shim/nix_ffi.h")
        .write_to_file(out)
        .expect("OUT_DIR is writable");
}

fn tell_dependents(nix: &pkg_config::Library) {
    println!("cargo:version={}", nix.version);
    // On NixOS, the linker records the location of libnix. On other systems, record it here.
    if let Some(dir) = nix
        .link_paths
        .iter()
        .find(|dir| dir.join("libnixexpr.so").exists())
    {
        println!("cargo:libdir={}", dir.display());
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", dir.display());
    }
}
