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
        description = "A folder on the file system to test. The account `gitr` writes to it.";
      };
    };
  path =
    { pkgs, ... }:
    with pkgs;
    [
      gettext
      gnumake
      gnupg
      gnutar
      gzip
      openssh
      perl
      python3
      unzip
      zip
    ];
  script =
    { cfg, lib, ... }:
    ''
      work=$(mktemp --directory --tmpdir=${lib.escapeShellArg cfg.directory} run.XXXXXX) || exit
      trap 'rm -rf "$work"' EXIT
      cp --recursive --no-preserve=ownership ${cfg.package}/. "$work"
      chmod --recursive u+w "$work"
      # The build wrote the path of its folder into these files.
      built=$(sed -n "s/^GIT_EXEC_PATH='\(.*\)'$/\1/p" "$work/bin-wrappers/git")
      sed -i "s|$built|$work|g" "$work/GIT-BUILD-OPTIONS" "$work"/bin-wrappers/*
      make -C "$work/t" prove PERL_PATH="$(type -P perl)" GIT_PROVE_OPTS="--jobs $(nproc)" "$@"
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
