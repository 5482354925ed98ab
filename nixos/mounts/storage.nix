# Mounts block devices, and formats them on request if they are empty.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:
let
  cfg = config.guests.storage;
  inherit (lib) mkOption types;
  pure = import ../guests/lib.nix { inherit lib; };

  formatted = lib.filterAttrs (_: entry: entry.mkfsArgs != null) cfg;
  arguments =
    entry:
    if builtins.isList entry.mkfsArgs then lib.escapeShellArgs entry.mkfsArgs else entry.mkfsArgs;
  # The packages with `lsblk`, `blkid` and `realpath`, and with `mkfs` for the file systems of this machine.
  tools = [
    pkgs.util-linux
    pkgs.coreutils
  ]
  ++ config.system.fsPackages;

  formatService =
    mountPoint: entry:
    let
      name = utils.escapeSystemdPath mountPoint;
      device = "${utils.escapeSystemdPath entry.device}.device";
    in
    lib.nameValuePair "format-${name}" {
      description = "Format ${entry.device} for ${mountPoint}";
      requiredBy = [ "${name}.mount" ];
      before = [
        "${name}.mount"
        "systemd-fsck@${utils.escapeSystemdPath entry.device}.service"
        "shutdown.target"
      ];
      bindsTo = [ device ];
      after = [ device ];
      conflicts = [ "shutdown.target" ];
      unitConfig.DefaultDependencies = false;
      path = tools;
      restartIfChanged = false;
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
      };
      script = ''
        source ${./format-device.sh}
        format_device ${
          lib.escapeShellArgs [
            entry.device
            entry.fsType
          ]
        } ${arguments entry}
      '';
    };
in
{
  imports = [
    ../guests/backend.nix
    (lib.mkRenamedOptionModule [ "nixos-flake" "storage" ] [ "guests" "storage" ])
  ];

  options.guests.storage = mkOption {
    type = types.attrsOf (
      types.submodule {
        options = {
          device = mkOption {
            type = types.str;
            example = "/dev/disk/by-id/virtio-data";
            description = ''
              The block device. Prefer a path below /dev/disk/by-id, which always names the same disk. For a QEMU disk,
              this path contains the `serial` of the disk.
            '';
          };
          fsType = mkOption {
            type = types.str;
            example = "xfs";
            description = "The type of the file system.";
          };
          options = mkOption {
            type = types.listOf types.str;
            default = [ ];
            example = [ "noatime" ];
            description = "Mount options.";
          };
          mkfsArgs = mkOption {
            type = types.nullOr (types.either types.str (types.listOf types.str));
            default = null;
            example = [
              "-b"
              "size=4096"
            ];
            description = ''
              The arguments of `mkfs.FSTYPE`, which formats an empty device before it is mounted. If the value is a
              string, the shell splits it into arguments. If the value is null, only `autoFormat` can format the device.

              A device with a file system of the type `fsType` is mounted as it is. If the device is mounted, or has a
              partition table or other data that `blkid` recognises, the service fails and does not format the device.
            '';
          };
          autoFormat = mkOption {
            type = types.bool;
            default = false;
            example = true;
            description = "Whether to format an empty device as NixOS does (`fileSystems.<name>.autoFormat`), without arguments.";
          };
        };
      }
    );
    default = { };
    example = lib.literalExpression ''
      {
        "/mnt/data" = {
          device = "/dev/disk/by-id/virtio-data";
          fsType = "xfs";
          mkfsArgs = [ "-b" "size=4096" ];
        };
      }
    '';
    description = "Block devices to mount, by mount point.";
  };

  config = {
    assertions = pure.storageAssertions {
      storage = cfg;
      others = lib.mapAttrs (_: one: one.device) (
        lib.filterAttrs (name: one: !cfg ? ${name} && one.device != null) config.fileSystems
      );
      needsStable = config.guests.backend == "baremetal";
    };
    fileSystems = lib.mapAttrs (
      _: entry:
      {
        inherit (entry) device fsType autoFormat;
      }
      // lib.optionalAttrs (entry.options != [ ]) { inherit (entry) options; }
    ) cfg;
    systemd.services = lib.mapAttrs' formatService formatted;
  };
}
