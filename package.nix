# The program, built against the libraries of one Nix release.
{
  lib,
  rustPlatform,
  pkg-config,
  boehmgc,
  boost,
  nlohmann_json,
  # A scope with nix-util, nix-store, … and their C twins, such as nixVersions.nixComponents_2_31.
  nixComponents,
}:
rustPlatform.buildRustPackage {
  pname = "runtime-module";
  version = (lib.importTOML ./Cargo.toml).workspace.package.version;

  src = lib.fileset.toSource {
    root = ./.;
    fileset = lib.fileset.unions [
      ./Cargo.toml
      ./Cargo.lock
      ./build.rs
      ./clippy.toml
      ./nix-ffi
      ./src
    ];
  };
  cargoLock.lockFile = ./Cargo.lock;

  nativeBuildInputs = [
    pkg-config
    rustPlatform.bindgenHook
  ];
  buildInputs = [
    boehmgc
    boost
    nlohmann_json
    nixComponents.nix-util
    nixComponents.nix-store
    nixComponents.nix-fetchers
    nixComponents.nix-expr
    nixComponents.nix-flake
    nixComponents.nix-util-c
    nixComponents.nix-store-c
    nixComponents.nix-expr-c
  ];

  # The C API marks functions with [[deprecated]], which is C23; nix-bindings does not say so to bindgen.
  env.BINDGEN_EXTRA_CLANG_ARGS = "-std=c2x";

  # Unit tests run here; what needs a store of its own runs by `make test`.
  cargoTestFlags = [ "--bins" ];

  meta = {
    description = "Turns parts of a NixOS configuration on and off on a running machine";
    license = lib.licenses.lgpl21Plus;
    mainProgram = "runtime-module";
    platforms = lib.platforms.linux;
  };
}
