# The regression tests of Git, as load on a file system.
import ../guests/suite.nix {
  name = "gitr";
  title = "the tests of Git";
  provides = "`t/Makefile`, the built source of Git";
  user = "gitr";
  extraOptions =
    { lib, ... }:
    {
      directory = lib.mkOption {
        type = lib.types.strMatching "/.+";
        default = "/mnt/gitr";
        description = "A folder of the file system to test. The account `gitr` writes to it.";
      };
    };
  path =
    { pkgs, ... }:
    with pkgs;
    [
      gettext
      gnumake
      gnupg
      openssh
      perl
      python3
      zlib
    ];
  script =
    { cfg, lib, ... }:
    ''
      work=$(mktemp --directory --tmpdir=${lib.escapeShellArg cfg.directory} run.XXXXXX) || exit
      trap 'rm -rf "$work"' EXIT
      cp --recursive --no-preserve=ownership ${cfg.package}/. "$work"
      chmod --recursive u+w "$work"
      make -C "$work/t" prove GIT_PROVE_OPTS="--jobs $(nproc)" "$@"
      status=$?
      cp --recursive "$work/t/test-results" "$results/" || true
      exit "$status"
    '';
  machine =
    { cfg, ... }:
    {
      users.users.gitr = {
        isNormalUser = true;
        group = "gitr";
        description = "Account for the tests of Git";
      };
      users.groups.gitr = { };
      systemd.tmpfiles.rules = [ "d ${cfg.directory} 0755 gitr gitr -" ];
    };
}
