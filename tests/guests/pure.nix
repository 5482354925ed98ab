# Values of the pure functions of the guest modules, compared with pure.json. They need no nixpkgs.
{
  lib ? import ../minios/lib,
}:
let
  pure = import ../../nixos/guests/lib.nix { inherit lib; };
  domain = import ../../nixos/guests/domain-xml.nix { inherit lib; };
  messages = assertions: map (one: one.message) (lib.filter (one: !one.assertion) assertions);

  long = "a-tag-of-exactly-thirty-six-bytes---";
  shares = settings: messages (pure.shareAssertions pure.guestTags settings);
  storage =
    settings:
    messages (
      pure.storageAssertions {
        storage = lib.mapAttrs (
          _: entry:
          {
            mkfsArgs = null;
            autoFormat = false;
          }
          // entry
        ) settings;
        others = {
          "/" = "/dev/vda1";
        };
        needsStable = false;
      }
    );
  plain = {
    name = "machine";
    architecture = "x86_64";
    cpus = 2;
    memory = 2048;
    firmware = "bios";
    disks = [
      {
        source = "/images/machine.qcow2";
        format = "qcow2";
        serial = null;
      }
    ];
    shares = { };
    network = "default";
  };

  # The exported modules, with their attribute names and files. The modules of the attribute set
  # `testSuites` are in the folder `test-suites`.
  exported = import ../../nixos {
    self = {
      outPath = "/none";
    };
  };
  flatten =
    prefix: set:
    lib.concatLists (
      lib.mapAttrsToList (
        name: value:
        if builtins.isPath value then
          [
            {
              name = prefix + name;
              path = lib.removePrefix (toString ../../nixos + "/") (toString value);
              exists = builtins.pathExists value;
            }
          ]
        else if builtins.isAttrs value then
          flatten "${prefix}${name}/" value
        else
          [ ]
      ) set
    );
  fileOf = name: builtins.replaceStrings [ "testSuites/" ] [ "test-suites/" ] name + ".nix";
  files = flatten "" exported;
in
{
  exports = map (one: one.name) files;
  exports-whose-path-differs = lib.filter (one: one.path != fileOf one.name || !one.exists) files;

  backends = {
    none = pure.effectiveBackend [ ];
    imageless = pure.effectiveBackend [ "imageless" ];
    twice = pure.effectiveBackend [
      "imageless"
      "imageless"
    ];
    baremetal = pure.effectiveBackend [
      "baremetal"
      "imageless"
    ];
    contradiction = pure.effectiveBackend [
      "imageless"
      "libvirt"
    ];
    message =
      (pure.backendAssertion [
        "imageless"
        "libvirt"
        "imageless"
      ]).message;
  };

  tags = {
    limit = builtins.stringLength long;
    longest = pure.tagProblem long;
    too-long = pure.tagProblem "${long}x";
    empty = pure.tagProblem "";
    comma = pure.tagProblem "a,b";
  };
  shares = {
    valid = shares {
      "/mnt/a".tag = "a";
      "/mnt/b".tag = "b";
    };
    twice = shares {
      "/mnt/a".tag = "a";
      "/mnt/b".tag = "a";
    };
    reserved = shares { "/mnt".tag = "store"; };
    too-long = shares { "/mnt".tag = "${long}x"; };
  };

  storage = {
    valid = storage { "/data".device = "/dev/vdb"; };
    twice = storage {
      "/a".device = "/dev/vdb";
      "/b".device = "/dev/vdb";
    };
    root = storage { "/data".device = "/dev/vda1"; };
    no-device = storage { "/data".device = "data.img"; };
    both = storage {
      "/data" = {
        device = "/dev/vdb";
        mkfsArgs = "";
        autoFormat = true;
      };
    };
    unstable-name = messages (
      pure.storageAssertions {
        storage."/data" = {
          device = "/dev/sdb";
          mkfsArgs = [ ];
          autoFormat = false;
        };
        others = { };
        needsStable = true;
      }
    );
    stable-names = map pure.isStableDevice [
      "/dev/disk/by-id/virtio-data"
      "/dev/disk/by-uuid/1234"
      "/dev/mapper/data"
      "/dev/sdb"
      "/dev/disk/by-id/"
    ];
  };

  baremetal = {
    valid = messages (
      pure.baremetalAssertions {
        kernel = true;
        loaders = [ "systemd-boot" ];
        initrdModules = [ "nvme" ];
        kernelParams = [ ];
        fileSystems."/" = {
          device = "/dev/sda1";
          fsType = "ext4";
        };
      }
    );
    root-in-memory = messages (
      pure.baremetalAssertions {
        kernel = true;
        loaders = [ "grub" ];
        initrdModules = [ "nvme" ];
        kernelParams = [ ];
        fileSystems."/" = {
          device = "none";
          fsType = "tmpfs";
        };
      }
    );
    everything-of-a-guest = messages (
      pure.baremetalAssertions {
        kernel = false;
        loaders = [ ];
        initrdModules = [ ];
        kernelParams = [ "console=hvc0" ];
        fileSystems = {
          "/" = {
            device = "tmpfs";
            fsType = "tmpfs";
          };
          "/nix/store" = {
            device = "store";
            fsType = "virtiofs";
          };
        };
      }
    );
  };

  output-folders = lib.genAttrs [
    "/var/lib/monitoring/runs/%i"
    "/mnt/results/%i/monitoring"
    "runs/%i"
    "/var/lib/monitoring"
    "/%i"
    "/srv/../etc/%i"
    "/srv/%i/%u"
    "/srv/runs-%i"
    "/srv/a b/%i"
  ] pure.outputDirProblem;
  output-base = pure.outputBase "/mnt/results/%i/monitoring";

  disk-names = map domain.diskName [
    0
    1
    25
    26
    51
    52
  ];
  domain = {
    small = lib.splitString "\n" (domain.domainXml plain);
    large = lib.splitString "\n" (
      domain.domainXml (
        plain
        // {
          name = "a<b&\"c\"";
          firmware = "uefi";
          disks = plain.disks ++ [
            {
              source = "/dev/disk/by-id/nvme-x";
              format = "raw";
              serial = "data";
            }
          ];
          shares.src = "/home/alice/src";
        }
      )
    );
    unknown-tag = messages (
      domain.domainAssertions {
        shares.srcs = "/src";
        mounted = [ "src" ];
        disks = [ ];
      }
    );
    no-shares = messages (
      domain.domainAssertions {
        shares = { };
        mounted = [ "src" ];
        disks = [ ];
      }
    );
    long-serial = messages (
      domain.domainAssertions {
        shares = { };
        mounted = [ ];
        disks = [
          {
            source = "/a";
            serial = "a-serial-of-21-letters";
          }
        ];
      }
    );
  };
}
