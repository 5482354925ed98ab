# fstests (xfstests): tests of file systems on two block devices.
import ../guests/suite.nix {
  name = "fstests";
  title = "fstests";
  package = pkgs: pkgs.xfstests;
  extraOptions =
    { lib, ... }:
    let
      inherit (lib) mkOption types;
    in
    {
      fsType = mkOption {
        type = types.str;
        default = "xfs";
        example = "btrfs";
        description = "The file system to test.";
      };
      testDevice = mkOption {
        type = types.nullOr (types.strMatching "/dev/.+");
        default = null;
        example = "/dev/disk/by-id/virtio-test";
        description = "The device for `TEST_DEV`. It must contain a file system of the tested type. Its content is lost.";
      };
      scratchDevices = mkOption {
        type = types.listOf (types.strMatching "/dev/.+");
        default = [ ];
        example = [ "/dev/disk/by-id/virtio-scratch" ];
        description = ''
          SCRATCH_DEV, or SCRATCH_DEV_POOL if there are several. Tests format them, so their content is lost.
        '';
      };
      environment = mkOption {
        type = types.attrsOf types.str;
        default = { };
        example = {
          MKFS_OPTIONS = "-m reflink=1";
        };
        description = "Additional variables for `local.config`.";
      };
    };
  assertions =
    cfg:
    let
      devices = cfg.scratchDevices ++ (if cfg.testDevice == null then [ ] else [ cfg.testDevice ]);
      isUsedTwice = device: builtins.length (builtins.filter (other: other == device) devices) > 1;
      usedTwice = builtins.attrNames (
        builtins.groupBy (device: device) (builtins.filter isUsedTwice devices)
      );
    in
    [
      {
        assertion = usedTwice == [ ];
        message =
          "cannot run fstests: guests.testSuites.fstests names ${toString usedTwice}, which "
          + "would be formatted while it is in use. Give testDevice and each of scratchDevices a device of its own.";
      }
      {
        assertion = cfg.scratchDevices == [ ] || cfg.testDevice != null;
        message =
          "cannot run fstests: guests.testSuites.fstests.scratchDevices is set, but testDevice is null. Set "
          + "guests.testSuites.fstests.testDevice, or remove scratchDevices.";
      }
    ];
  path =
    { cfg, pkgs }:
    [ cfg.package ]
    ++ (with pkgs; [
      acl
      attr
      bc
      btrfs-progs
      dump
      e2fsprogs
      f2fs-tools
      fio
      indent
      keyutils
      libcap
      lvm2
      nfs-utils
      perl
      python3
      quota
      xfsdump
      xfsprogs
    ]);
  script =
    { cfg, lib, ... }:
    let
      isPool = lib.length cfg.scratchDevices > 1;
      variables = {
        FSTYP = cfg.fsType;
        TEST_DIR = "/mnt/test";
      }
      // lib.optionalAttrs (cfg.testDevice != null) { TEST_DEV = cfg.testDevice; }
      // lib.optionalAttrs (cfg.scratchDevices != [ ]) {
        SCRATCH_MNT = "/mnt/scratch";
        ${if isPool then "SCRATCH_DEV_POOL" else "SCRATCH_DEV"} =
          lib.concatStringsSep " " cfg.scratchDevices;
      }
      // cfg.environment;
    in
    ''
      ${lib.concatStrings (
        lib.mapAttrsToList (name: value: "export ${name}=${lib.escapeShellArg value}\n") variables
      )}
      # The program writes its results below the current folder.
      cd "$results"
      exec xfstests-check "$@"
    '';
  machine =
    { lib, pkgs, ... }:
    let
      account = name: {
        isNormalUser = true;
        group = name;
        description = "Account for fstests";
        # Tests run commands as these accounts.
        shell = pkgs.bashInteractive;
      };
    in
    {
      users.users = {
        fsgqa = account "fsgqa";
        fsgqa2 = account "fsgqa2";
        # Tests of quotas need a name that begins with a digit.
        "123456-fsgqa" = account "123456-fsgqa";
      };
      users.groups = {
        fsgqa = { };
        fsgqa2 = { };
        "123456-fsgqa" = { };
      };
      systemd.tmpfiles.rules = [
        "d /mnt/test 0755 root root -"
        "d /mnt/scratch 0755 root root -"
        # Scripts of the suite name these programs by their paths.
        "L+ /bin/bash - - - - ${pkgs.bashInteractive}/bin/bash"
        "L+ /bin/true - - - - ${pkgs.coreutils}/bin/true"
        # A failed assertion of XFS is a failed test, and must not stop the machine.
        "w- /sys/fs/xfs/debug/bug_on_assert - - - - 0"
      ];
    };
}
