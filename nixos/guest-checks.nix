# Checks of the guest modules: machines of every kind, as derivations. `nix flake check` builds them.
{ self, nixpkgs }:
let
  inherit (nixpkgs) lib;
  inherit (self.nixosModules)
    backends
    mounts
    profiles
    testSuites
    user
    ;

  machine =
    modules:
    (lib.nixosSystem {
      modules = [
        {
          nixpkgs.hostPlatform = "x86_64-linux";
          networking.hostName = "machine";
          # This value is weaker than that of a backend, and stronger than the option's own default, which causes a
          # warning.
          system.stateVersion = lib.mkOverride 1400 lib.trivial.release;
        }
      ]
      ++ modules;
    }).config.system.build.toplevel;

  # An empty folder in place of a suite that nixpkgs does not have.
  withPackage =
    suite:
    { options, pkgs, ... }:
    {
      guests.testSuites.${suite} =
        lib.optionalAttrs (!options.guests.testSuites.${suite}.package ? default)
          {
            package = pkgs.emptyDirectory;
          };
    };
in
{
  imageless = machine [
    backends.imageless
    mounts.shares
    mounts.storage
    user
  ];
  libvirt = machine [
    backends.libvirt
    mounts.shares
    mounts.storage
    user
  ];
  baremetal = machine [
    backends.baremetal
    user
    {
      boot.loader.systemd-boot.enable = true;
      fileSystems."/" = {
        device = "/dev/disk/by-label/root";
        fsType = "ext4";
      };
    }
  ];
  # A controller usually keeps its state on a disk, which the backend `libvirt` provides.
  controller = machine [
    backends.libvirt
    profiles.controller
    { guests.controller.enable = true; }
  ];
  devel = machine [
    backends.imageless
    profiles.build-tools
    profiles.devel
  ];
}
// lib.mapAttrs' (
  suite: module:
  lib.nameValuePair "imageless-${suite}" (machine [
    backends.imageless
    profiles.monitoring
    user
    module
    (withPackage suite)
    { guests.monitoring.enable = true; }
  ])
) testSuites
