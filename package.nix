# The program, built against the libraries of one Nix release.
{
  lib,
  stdenv,
  rustPlatform,
  installShellFiles,
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
      # The schema that the reader of config.json is tested by.
      ./nixos/runtime-modules/config.schema.json
      ./src
    ];
  };
  cargoLock.lockFile = ./Cargo.lock;

  nativeBuildInputs = [
    installShellFiles
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
  cargoTestFlags = [ "--lib" ];

  # Made by the program itself, of its own command line.
  postInstall = lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
    program="$out/bin/runtime-module"
    installShellCompletion --cmd runtime-module \
      --bash <("$program" __completions bash) \
      --zsh <("$program" __completions zsh) \
      --fish <("$program" __completions fish)
    mkdir -p "$out/share/nushell/vendor/autoload"
    "$program" __completions nushell > "$out/share/nushell/vendor/autoload/runtime-module.nu"
    for page in $("$program" __man); do
      "$program" __man "$page" > "$page.1"
      installManPage "$page.1"
    done
  '';

  meta = {
    description = "Turns parts of a NixOS configuration on and off on a running machine";
    license = lib.licenses.lgpl21Plus;
    mainProgram = "runtime-module";
    platforms = lib.platforms.linux;
  };
}
