# MMTests: benchmarks of memory management, schedulers and file systems.
import ../guests/suite.nix {
  name = "mmtests";
  title = "MMTests";
  provides = "`run-mmtests.sh`, the source of the suite";
  extraOptions =
    { lib, ... }:
    {
      configuration = lib.mkOption {
        type = lib.types.nullOr lib.types.str;
        default = null;
        example = "configs/config-scheduler-schbench";
        description = "The configuration to run. If it is null, the suite runs the one that is called `config`.";
      };
    };
  path =
    { pkgs, ... }:
    with pkgs;
    [
      autoconf
      automake
      bc
      binutils
      expect
      gcc
      git
      gnumake
      gnutar
      gzip
      hwloc
      libtool
      nettools
      numactl
      patch
      perl
      pkg-config
      python3
      sysstat
      wget
      which
      xz
    ];
  script =
    { cfg, lib, ... }:
    ''
      # The suite builds its benchmarks in its folder.
      work=$(mktemp --directory --tmpdir=/var/tmp)
      trap 'rm -rf "$work"' EXIT
      cp --recursive --no-preserve=ownership ${cfg.package}/. "$work"
      chmod --recursive u+w "$work"
      cd "$work"
      export SHELLPACK_LOG_BASE=$results
      ./run-mmtests.sh ${
        lib.optionalString (
          cfg.configuration != null
        ) "--config ${lib.escapeShellArg (toString cfg.configuration)}"
      } "$@" run
    '';
}
