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
      blktrace
      cryptsetup
      e2fsprogs
      ethtool
      fio
      gcc
      gnumake
      iproute2
      jq
      lvm2
      mdadm
      multipath-tools
      nbd
      nvme-cli
      openiscsi
      python3
      sg3_utils
      xfsprogs
    ];
  script =
    { cfg, lib, ... }:
    ''
      # The suite writes to its folder.
      work=$(mktemp --directory)
      trap 'rm -rf "$work"' EXIT
      cp --recursive --no-preserve=ownership ${cfg.package}/. "$work"
      chmod --recursive u+w "$work"
      printf 'TEST_DEVS=(%s)\n' ${lib.escapeShellArg (lib.concatStringsSep " " cfg.devices)} > "$work/config"
      cd "$work"
      ./check --output "$results" "$@"
    '';
}
