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
          The device for `SCRATCH_DEV`, or the devices for `SCRATCH_DEV_POOL`. Tests format them, so their content is
          lost.
        '';
      };
      environment = mkOption {
        type = types.attrsOf types.str;
        default = { };
        example = {
          MKFS_OPTIONS = "-m reflink=1";
        };
        description = "Additional variables of the suite, by the names that `local.config` uses.";
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
          "cannot run fstests: guests.testSuites.fstests names ${toString usedTwice} more than once, so the tests "
          + "would format a device that is in use. Give testDevice and each of scratchDevices a device of its own.";
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
      acct
      acl
      attr
      bc
      btrfs-progs
      checkbashisms
      dump
      duperemove
      e2fsprogs
      exfatprogs
      f2fs-tools
      fio
      fsverity-utils
      getent
      gzip
      hostname-debian
      indent
      keyutils
      libcap
      lvm2
      lz4
      nfs-utils
      openssl
      parted
      perl
      python3
      quota
      shadow.su
      sqlite
      thin-provisioning-tools
      udftools
      xfsdump
      xfsprogs
      xz
    ]);
  script =
    { cfg, lib, ... }:
    let
      isPool = lib.length cfg.scratchDevices > 1;
      variables = {
        FSTYP = cfg.fsType;
        TEST_DIR = "/mnt/test";
        # The suite requires this folder even without a scratch device.
        SCRATCH_MNT = "/mnt/scratch";
        # Tests compare device names with those of mounted devices, in which symbolic links are resolved.
        CANON_DEVS = "yes";
      }
      // lib.optionalAttrs (cfg.testDevice != null) { TEST_DEV = cfg.testDevice; }
      // lib.optionalAttrs (cfg.scratchDevices != [ ]) {
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
  links = pkgs: {
    "/bin/bash" = "${pkgs.bashInteractive}/bin/bash";
    "/bin/true" = "${pkgs.coreutils}/bin/true";
  };
  machine =
    {
      cfg,
      lib,
      pkgs,
      ...
    }:
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
      # The setting of XFS below /sys exists only after its module is loaded.
      boot.kernelModules = lib.optional (cfg.fsType == "xfs") "xfs";
      systemd.tmpfiles.rules = [
        "d /mnt/test 0755 root root -"
        "d /mnt/scratch 0755 root root -"
        # A failed assertion of XFS is a failed test, and must not stop the machine.
        "w- /sys/fs/xfs/debug/bug_on_assert - - - - 0"
      ];
    };
}
