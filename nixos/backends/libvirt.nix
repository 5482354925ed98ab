# A libvirt guest: a disk image with its own kernel and boot loader, and the XML of its domain.
{
  config,
  lib,
  modulesPath,
  pkgs,
  ...
}:
let
  cfg = config.guests.libvirt;
  inherit (lib) mkDefault mkOption types;
  domain = import ../guests/domain-xml.nix { inherit lib; };
  isUefi = cfg.firmware == "uefi";
  # The root partition of the image, as nixpkgs' image builder creates it.
  rootPartition = if isUefi then "/dev/vda2" else "/dev/vda1";
  mounted = lib.mapAttrsToList (_: one: one.device) (
    lib.filterAttrs (_: one: one.fsType == "virtiofs") config.fileSystems
  );
in
{
  imports = [
    (modulesPath + "/profiles/qemu-guest.nix")
    ../guests/backend.nix
    ../guests/console.nix
  ];

  options.guests.libvirt = {
    cpus = mkOption {
      type = types.ints.positive;
      default = 2;
      example = 8;
      description = "The number of virtual CPUs.";
    };
    memory = mkOption {
      type = types.ints.positive;
      default = 2048;
      example = 8192;
      description = "The memory of the guest in MiB.";
    };
    firmware = mkOption {
      type = types.enum [
        "bios"
        "uefi"
      ];
      default = "bios";
      example = "uefi";
      description = "The firmware of the domain. It also determines how the image is partitioned.";
    };
    diskSize = mkOption {
      type = types.ints.positive;
      default = 20480;
      example = 65536;
      description = "The size of the image in MiB. A qcow2 file takes up only the space that the guest has written to.";
    };
    image = mkOption {
      type = types.strMatching "/.+";
      default = "/var/lib/libvirt/images/${config.networking.hostName}.qcow2";
      defaultText = lib.literalExpression ''"/var/lib/libvirt/images/''${config.networking.hostName}.qcow2"'';
      example = "/srv/guests/machine.qcow2";
      description = ''
        The path on the host at which the domain expects the image. Copy the image there from `system.build.image`: a
        guest cannot write to an image in the store.
      '';
    };
    disks = mkOption {
      type = types.listOf (
        types.submodule {
          options = {
            source = mkOption {
              type = types.strMatching "/.+";
              example = "/srv/guests/data.qcow2";
              description = "The path of a file or block device on the host.";
            };
            format = mkOption {
              type = types.enum [
                "raw"
                "qcow2"
              ];
              default = "raw";
              description = "The format of the disk's content.";
            };
            serial = mkOption {
              type = types.nullOr types.str;
              default = null;
              example = "data";
              description = "The serial of the disk. With `data`, it is /dev/disk/by-id/virtio-data in the guest.";
            };
          };
        }
      );
      default = [ ];
      description = "Additional disks of the guest. The first one is /dev/vdb.";
    };
    shares = mkOption {
      type = types.attrsOf (types.strMatching "/.+");
      default = { };
      example = lib.literalExpression ''{ src = "/home/alice/src"; }'';
      description = "Host folders to share with the guest. Each name is a tag that `guests.shares` mounts.";
    };
    network = mkOption {
      type = types.str;
      default = "default";
      description = "The name of the libvirt network that the guest joins.";
    };
  };

  config = lib.mkMerge [
    { guests.backends = [ "libvirt" ]; }

    (lib.mkIf (config.guests.backend == "libvirt") {
      assertions = domain.domainAssertions {
        inherit (cfg) shares disks;
        inherit mounted;
      };

      boot = {
        kernelPackages = mkDefault pkgs.linuxPackages_latest;
        loader = {
          timeout = mkDefault 1;
          grub = {
            device = mkDefault (if isUefi then "nodev" else "/dev/vda");
            efiSupport = mkDefault isUefi;
            # The firmware's variables are empty when the domain first starts.
            efiInstallAsRemovable = mkDefault isUefi;
          };
        };
      };
      fileSystems = {
        "/" = mkDefault {
          device = rootPartition;
          fsType = "ext4";
        };
      }
      // lib.optionalAttrs isUefi {
        "/boot" = mkDefault {
          device = "/dev/disk/by-label/ESP";
          fsType = "vfat";
        };
      };

      networking.useDHCP = mkDefault true;
      services.openssh.enable = mkDefault true;
      services.openssh.settings.PasswordAuthentication = mkDefault false;
      services.qemuGuest.enable = mkDefault true;
      virtualisation.libvirtd.enable = mkDefault false;
      nix = {
        settings.experimental-features = [
          "nix-command"
          "flakes"
        ];
        gc = {
          automatic = mkDefault true;
          dates = mkDefault "weekly";
          options = mkDefault "--delete-older-than 7d";
        };
      };
      time.timeZone = mkDefault "UTC";
      i18n.defaultLocale = mkDefault "en_US.UTF-8";

      system.build = {
        image = mkDefault (
          import (modulesPath + "/../lib/make-disk-image.nix") {
            inherit config lib pkgs;
            inherit (cfg) diskSize;
            format = "qcow2";
            partitionTableType = if isUefi then "efi" else "legacy";
            copyChannel = false;
          }
        );
        libvirtDomain = mkDefault (
          pkgs.writeText "${config.networking.hostName}.xml" (
            domain.domainXml {
              name = config.networking.hostName;
              architecture = pkgs.stdenv.hostPlatform.parsed.cpu.name;
              inherit (cfg)
                cpus
                memory
                firmware
                shares
                network
                ;
              disks = [
                {
                  source = cfg.image;
                  format = "qcow2";
                  serial = null;
                }
              ]
              ++ cfg.disks;
            }
          )
        );
      };
    })
  ];
}
