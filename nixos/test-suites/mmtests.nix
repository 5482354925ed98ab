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
        example = "configs/config-scheduler-schbench-default";
        description = "The configuration to run. If it is null, the suite runs its file `config`.";
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
      hdparm
      hwloc
      iproute2
      libtool
      nettools
      numactl
      patch
      perl
      pkg-config
      psmisc
      python3
      sysstat
      tcl
      time
      wget
      which
      xz
    ];
  script =
    {
      cfg,
      lib,
      pkgs,
    }:
    ''
      # The suite builds its benchmarks in its folder.
      work=$(mktemp --directory --tmpdir=/var/tmp)
      trap 'rm -rf "$work"' EXIT
      cp --recursive --no-preserve=ownership ${cfg.package}/. "$work"
      chmod --recursive u+w "$work"
      # The suite always writes its results to work/log.
      mkdir --parents "$work/work"
      rm -rf "$work/work/log"
      ln --symbolic "$results" "$work/work/log"
      cd "$work"
      # Otherwise, the suite would install packages with the tools of other distributions.
      export ASSUME_PACKAGE_INSTALLED=yes
      # The script `unbuffer`, which starts the suite's monitors, loads Expect as a Tcl package.
      export TCLLIBPATH=${pkgs.expect}/lib
      bash ./run-mmtests.sh ${
        lib.optionalString (
          cfg.configuration != null
        ) "--config ${lib.escapeShellArg (toString cfg.configuration)}"
      } "$@" run
    '';
  links = pkgs: {
    "/bin/bash" = "${pkgs.bashInteractive}/bin/bash";
    "/bin/kill" = "${pkgs.coreutils}/bin/kill";
    "/usr/bin/awk" = "${pkgs.gawk}/bin/awk";
    "/usr/bin/perl" = "${pkgs.perl}/bin/perl";
    "/usr/bin/time" = "${pkgs.time}/bin/time";
  };
}
