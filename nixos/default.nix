# The NixOS modules that `flake.nix` exports, with the program built from the flake's own nixpkgs instead of the host's.
{ self }:
let
  runtimeModules =
    { lib, pkgs, ... }:
    let
      inherit (pkgs.stdenv.hostPlatform) system;
    in
    {
      # The key removes duplicates if the module is imported several times, under any name.
      key = "runtime-module#nixosModules.runtimeModules";
      _file = "${self}/nixos/default.nix";
      imports = [ ./runtime-modules ];

      services.runtimeModules.package = lib.mkDefault (
        self.packages.${system}.default or (throw (
          "services.runtimeModules.package has no value: runtime-module's own input nixpkgs, "
          + "${self.inputs.nixpkgs.lib.trivial.release}, cannot build the program for ${system}. It needs the "
          + "libraries of Nix 2.28 or newer, which nixpkgs 25.11 and later have for x86_64-linux and aarch64-linux. If "
          + "the input runtime-module has `follows`, remove it: the host's own nixpkgs can be as old as 24.05."
        ))
      );
    };
in
{
  default = runtimeModules;
  inherit runtimeModules;

  # Modules for guests and the machines that drive them. The attribute paths follow the file paths in this folder.
  backends = {
    imageless = ./backends/imageless.nix;
    libvirt = ./backends/libvirt.nix;
    baremetal = ./backends/baremetal.nix;
  };
  mounts = {
    shares = ./mounts/shares.nix;
    storage = ./mounts/storage.nix;
  };
  profiles = {
    build-tools = ./profiles/build-tools.nix;
    controller = ./profiles/controller.nix;
    devel = ./profiles/devel.nix;
    monitoring = ./profiles/monitoring.nix;
  };
  testSuites = {
    blktests = ./test-suites/blktests.nix;
    fio = ./test-suites/fio.nix;
    fstests = ./test-suites/fstests.nix;
    gitr = ./test-suites/gitr.nix;
    ltp = ./test-suites/ltp.nix;
    mmtests = ./test-suites/mmtests.nix;
    nfstest = ./test-suites/nfstest.nix;
    pynfs = ./test-suites/pynfs.nix;
    selftests = ./test-suites/selftests.nix;
    sysbench = ./test-suites/sysbench.nix;
  };
  user = ./user.nix;
}
