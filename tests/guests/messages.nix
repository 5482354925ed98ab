# Messages of the guest modules on a real nixpkgs, by name, compared with messages.json. `world` is the value of
# eval.nix.
{ world }:
let
  inherit (world) lib modules;

  # The assertions of our own files. Evaluating all assertions would evaluate most of a system.
  ours =
    option:
    lib.concatMap (definition: definition.value) (
      lib.filter (
        definition:
        lib.hasInfix "/nixos/" definition.file && !lib.hasPrefix (toString world.flake) definition.file
      ) option.definitionsWithLocations
    );
  said =
    configuration:
    map (one: one.message) (lib.filter (one: !one.assertion) (ours configuration.options.assertions));
  on = parts: said (world.host parts);
  inherit (modules)
    backends
    mounts
    profiles
    testSuites
    ;
in
{
  nothing-wrong = on [
    backends.imageless
    modules.user
    mounts.shares
    mounts.storage
  ];
  two-backends = on [
    backends.imageless
    backends.libvirt
  ];
  baremetal-and-libvirt = on [
    backends.baremetal
    backends.libvirt
  ];
  nixpkgs-too-old = said (
    (import (world.flake + "/nixos/lib/eval-config.nix")) {
      lib = lib.extend (
        _: previous: {
          trivial = previous.trivial // {
            release = "23.11";
          };
        }
      );
      system = null;
      modules = [
        modules.user
        { nixpkgs.hostPlatform = world.system; }
      ];
    }
  );

  baremetal-with-values-of-a-guest = on [
    backends.baremetal
    mounts.shares
    {
      guests.shares."/mnt/src".tag = "src";
      boot.kernel.enable = false;
      boot.kernelParams = [ "console=hvc0" ];
    }
  ];
  baremetal = on [
    backends.baremetal
    {
      fileSystems."/" = {
        device = "/dev/disk/by-label/root";
        fsType = "ext4";
      };
      boot.loader.systemd-boot.enable = true;
    }
  ];
  baremetal-formats-an-unstable-name = on [
    backends.baremetal
    mounts.storage
    {
      fileSystems."/" = {
        device = "none";
        fsType = "tmpfs";
      };
      boot.loader.grub.enable = true;
      guests.storage."/data" = {
        device = "/dev/sdb";
        fsType = "xfs";
        mkfsArgs = "";
      };
    }
  ];

  store-overlay-with-runtime-modules = on [
    backends.imageless
    modules.default
    {
      guests.storeOverlay.enable = true;
      services.runtimeModules.enable = true;
    }
  ];
  tag-of-the-backend = on [
    backends.imageless
    mounts.shares
    { guests.shares."/mnt".tag = "modules"; }
  ];
  tag-of-the-backend-elsewhere = on [
    backends.libvirt
    mounts.shares
    { guests.shares."/mnt".tag = "modules"; }
  ];
  shares-and-storage = on [
    backends.libvirt
    mounts.shares
    mounts.storage
    {
      guests.shares = {
        "/a".tag = "src";
        "/b".tag = "src";
        "/c".tag = "a-tag-of-more-than-thirty-six-characters";
      };
      guests.storage = {
        "/d" = {
          device = "/dev/vdb";
          fsType = "xfs";
          mkfsArgs = "-f";
          autoFormat = true;
        };
        "/e" = {
          device = "/dev/vdb";
          fsType = "ext4";
        };
        "/f" = {
          device = "/dev/vda1";
          fsType = "ext4";
        };
      };
    }
  ];
  libvirt-with-unknown-tag = on [
    backends.libvirt
    mounts.shares
    {
      guests.shares."/mnt".tag = "src";
      guests.libvirt.shares.srcs = "/src";
    }
  ];
  controller-for-an-unknown-account = on [
    profiles.controller
    {
      guests.controller.enable = true;
      guests.controller.users = [ "alcie" ];
      users.users.alice.isNormalUser = true;
    }
  ];
  monitoring = on [
    profiles.monitoring
    { guests.monitoring.enable = true; }
  ];
  monitoring-without-tools = on [
    profiles.monitoring
    {
      guests.monitoring = {
        enable = true;
        outputDir = "/srv/../etc/%i";
        biolatency.enable = true;
        blkalgn.ops = "write";
      };
    }
  ];
  monitoring-with-tools = on [
    profiles.monitoring
    (
      { pkgs, ... }:
      {
        guests.monitoring = {
          enable = true;
          biolatency.enable = true;
          libbpfTools = pkgs.hello;
        };
      }
    )
  ];

  # All suites, some of which have no package in nixpkgs, and then only suites that have one.
  suites-without-packages = on (lib.attrValues testSuites);
  suites-with-packages = on [
    testSuites.fio
    testSuites.fstests
    testSuites.sysbench
  ];
  suites-with-wrong-values = on [
    testSuites.fio
    testSuites.fstests
    {
      guests.testSuites = {
        fio.jobs."a/b" = "";
        fio.resultDir = "/var/lib/results";
        fstests.scratchDevices = [
          "/dev/vdb"
          "/dev/vdb"
        ];
      };
    }
  ];
  account-name = on [
    modules.user
    { guests.user.name = "Alice B"; }
  ];
  machines-with-wrong-values = on [
    profiles.controller
    {
      guests.controller.enable = true;
      guests.machines = {
        vm1 = {
          system = "/nix/store/system";
          sshPort = 2201;
        };
        vm2 = {
          system = "/nix/store/system";
          sshPort = 2201;
        };
        "a b".system = "/nix/store/system";
      };
    }
  ];
}
