# The Linux Test Project: tests of system calls and of the kernel's interfaces.
import ../guests/suite.nix {
  name = "ltp";
  title = "the Linux Test Project";
  provides = "`kirk` 3.2 or later, as `make install` creates it";
  extraOptions =
    { lib, ... }:
    {
      suites = lib.mkOption {
        type = lib.types.listOf lib.types.str;
        default = [ "syscalls" ];
        example = [
          "fs"
          "mm"
        ];
        description = "The names of the files in `runtest` to run.";
      };
    };
  path =
    { pkgs, ... }:
    with pkgs;
    [
      acl
      attr
      bc
      btrfs-progs
      cpio
      dosfstools
      e2fsprogs
      ethtool
      exfatprogs
      gnutar
      gzip
      iproute2
      iputils
      jq
      keyutils
      nfs-utils
      numactl
      parted
      psmisc
      python3
      quota
      unzip
      which
      xfsprogs
    ];
  script =
    { cfg, lib, ... }:
    ''
      # Tests write to this folder, also as the account `nobody`.
      work=$(mktemp --directory)
      trap 'rm -rf "$work"' EXIT
      chmod 1777 "$work"
      export LTPROOT=${cfg.package} TMPDIR=$work
      # kirk does not replace an existing report, and by default stops a suite after an hour.
      rm -f "$results/results.json"
      ${cfg.package}/kirk --no-colors --tmp-dir "$results" --json-report "$results/results.json" \
        --suite-timeout 30d --run-suite ${lib.escapeShellArgs cfg.suites} "$@" || exit
      # kirk succeeds even if tests fail.
      jq --exit-status '.stats | .failed + .broken == 0' "$results/results.json" > /dev/null
    '';
  links = pkgs: { "/bin/bash" = "${pkgs.bashInteractive}/bin/bash"; };
}
