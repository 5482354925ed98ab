# blktests: tests of the block layer and its drivers.
import ../guests/suite.nix {
  name = "blktests";
  title = "blktests";
  provides = "`check`, the built suite";
  extraOptions =
    { lib, ... }:
    {
      devices = lib.mkOption {
        type = lib.types.listOf (lib.types.strMatching "/dev/.+");
        default = [ ];
        example = [ "/dev/disk/by-id/virtio-blktests" ];
        description = "The block devices for `TEST_DEVS`. Tests write to them, so their content is lost.";
      };
    };
  path =
    { pkgs, ... }:
    with pkgs;
    [
      bc
      bcache-tools
      blktrace
      btrfs-progs
      cryptsetup
      dosfstools
      e2fsprogs
      ethtool
      expect
      f2fs-tools
      fio
      gcc
      getconf
      gnumake
      gzip
      iproute2
      jq
      keyutils
      lvm2
      mdadm
      multipath-tools
      nbd
      nvme-cli
      openiscsi
      parted
      pciutils
      psmisc
      python3
      sg3_utils
      shadow.su
      xfsprogs
    ];
  script =
    { cfg, lib, ... }:
    ''
      # The suite writes to its folder, and some tests run programs in it as NORMAL_USER.
      work=$(mktemp --directory)
      trap 'rm -rf "$work"' EXIT
      cp --recursive --no-preserve=ownership ${cfg.package}/. "$work"
      chmod --recursive u+w "$work"
      chmod a+rx "$work"
      printf 'TEST_DEVS=(%s)\nNORMAL_USER=blktests\n' \
        ${lib.escapeShellArg (lib.concatStringsSep " " cfg.devices)} > "$work/config"
      cd "$work"
      bash ./check --output "$results" "$@"
    '';
  machine = _: {
    users.users.blktests = {
      isSystemUser = true;
      group = "blktests";
      description = "Account for blktests";
      useDefaultShell = true;
    };
    users.groups.blktests = { };
  };
}
