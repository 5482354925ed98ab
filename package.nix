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
  # A scope with nix-util, nix-store, … and their C interfaces, such as nixVersions.nixComponents_2_31.
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
      ./crates
      ./nix-ffi
      # A unit test checks the reader of config.json against this schema.
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

  # The C API marks functions with [[deprecated]], which is C23; nix-bindings does not tell bindgen to use C23.
  env.BINDGEN_EXTRA_CLANG_ARGS = "-std=c2x";

  # Only unit tests run here. `make test` runs the tests that need their own store.
  cargoTestFlags = [
    "--lib"
    "--package=runtime-module-core"
    "--package=runtime-module-guest"
    "--package=runtime-module-light"
  ];

  postInstall = ''
    # Only `runtime-module` starts `runtime-module-nix`, so keep it out of bin.
    mkdir -p "$out/libexec"
    mv "$out/bin/runtime-module-nix" "$out/libexec/"
  ''
  # The program generates its completions and manual pages from the definition of its command line.
  + lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
    program="$out/bin/runtime-module"
    installShellCompletion --cmd runtime-module \
      --bash <("$program" __completions bash) \
      --zsh <("$program" __completions zsh) \
      --fish <("$program" __completions fish)
    mkdir -p "$out/share/nushell/vendor/autoload"
    "$program" __completions nushell > "$out/share/nushell/vendor/autoload/runtime-module.nu"
    for shell in bash zsh fish; do
      RUNTIME_GUEST_COMPLETE=$shell "$out/bin/runtime-guest" > "runtime-guest.$shell"
    done
    installShellCompletion --cmd runtime-guest runtime-guest.{bash,zsh,fish}
    for page in $("$program" __man); do
      "$program" __man "$page" > "$page.1"
      installManPage "$page.1"
    done
  '';

  meta = {
    description = "Enable and disable NixOS modules on a running machine";
    license = lib.licenses.lgpl21Plus;
    mainProgram = "runtime-module";
    platforms = lib.platforms.linux;
  };
}
