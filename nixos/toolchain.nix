# The toolchains for kernels, defined once for profiles and development shells. `pkgs` is nixpkgs.
{ pkgs }:
let
  inherit (pkgs) lib;
  inherit (pkgs.llvmPackages) clang clang-unwrapped;
  resources = "${lib.getLib clang-unwrapped}/lib/clang/${lib.versions.major (lib.getVersion clang-unwrapped)}";

  # With `LLVM=1`, the compilers of the kernel and of its host tools have the same name, `clang`. The wrapped clang adds
  # flags for user-space programs, which do not work for a kernel. The unwrapped clang does not find a C library for
  # host tools.
  clangForKernels = lib.hiPrio (
    pkgs.writeShellScriptBin "clang" ''
      for argument in "$@"; do
        case $argument in
          -nostdinc | --target=bpf | -target=bpf | bpf)
            exec ${clang-unwrapped}/bin/clang -resource-dir ${resources} "$@"
            ;;
        esac
      done
      exec ${clang}/bin/clang "$@"
    ''
  );
  # In a kernel's source tree, this `make` adds options that make the result independent of the tree's location.
  reproducibleMake = lib.hiPrio (
    pkgs.writeShellScriptBin "make" ''
      real_make=${pkgs.gnumake}/bin/make
      ${builtins.readFile ./toolchain/make.sh}
    ''
  );
in
rec {
  # The tools that build a kernel with gcc.
  kernel = [
    reproducibleMake
  ]
  ++ (with pkgs; [
    bc
    binutils
    bison
    cpio
    diffutils
    elfutils
    findutils
    flex
    gawk
    gcc
    gettext
    git
    gnumake
    gnupatch
    gnutar
    kmod
    lz4
    ncurses
    openssl
    pahole
    perl
    pkg-config
    python3
    rsync
    xxd
    xz
    zlib
    zstd
  ]);

  # clang, Rust and static analysis, for the builds that gcc alone cannot do.
  matrixExtras = [
    clangForKernels
  ]
  ++ (with pkgs; [
    llvmPackages.lld
    llvmPackages.llvm
    rust-bindgen-unwrapped
    rustc
    rustfmt
    sparse
  ]);

  # Programs for configuring other machines.
  orchestration = with pkgs; [
    ansible
    git
    gnumake
    jq
    openssh
    (python3.withPackages (python: [
      python.jinja2
      python.pyyaml
    ]))
    rsync
  ];

  # Autotools, and the headers that test suites are often built with.
  buildTools = with pkgs; [
    autoconf
    automake
    bc
    bison
    elfutils
    flex
    gcc
    gnumake
    libtool
    openssl
    pkg-config
  ];

  # Variables of the shell that builds kernels.
  environment = {
    RUST_LIB_SRC = "${pkgs.rustPlatform.rustLibSrc}";
    # By default, stdenv derives gcc's -frandom-seed from the output path. In a shell, this path is in the user's own
    # folder, so builds would differ between users.
    NIX_OUTPATH_USED_AS_RANDOM_SEED = "kernel-shell";
  };
  shellHook = builtins.readFile ./toolchain/shell-hook.sh;

  shells = {
    # The shell for building a kernel with gcc, clang and Rust.
    build-kernel = pkgs.mkShell {
      packages =
        kernel
        ++ matrixExtras
        ++ (with pkgs; [
          b4
          ccache
        ]);
      buildInputs = with pkgs; [
        elfutils
        ncurses
        openssl
        zlib
      ];
      env = environment;
      # A kernel must not be compiled with nixpkgs' hardening flags.
      hardeningDisable = [ "all" ];
      inherit shellHook;
    };
    # The shell for building QEMU. It is separate because QEMU's build flags would break the host tools of a kernel.
    build-qemu = pkgs.mkShell {
      inputsFrom = [ pkgs.qemu ];
      packages = with pkgs; [
        meson
        ninja
        (python3.withPackages (python: [
          python.pip
          python.setuptools
          python.wheel
        ]))
      ];
    };
    # The shell for controlling systemd: the system manager or a user manager.
    systemd = pkgs.mkShellNoCC {
      packages = with pkgs; [
        openssh
        systemd
      ];
    };
    # The shell for copying closures to other machines.
    transfer = pkgs.mkShellNoCC {
      packages = with pkgs; [
        nix
        openssh
        python3
      ];
    };
  };
}
