# The kernel's selftests, which must match the running kernel.
import ../guests/suite.nix {
  name = "selftests";
  title = "the kernel's selftests";
  provides = "`run_kselftest.sh`, as `make -C tools/testing/selftests install` creates it";
  path =
    { pkgs, ... }:
    with pkgs;
    [
      bc
      ethtool
      iproute2
      iptables
      iputils
      jq
      nettools
      nftables
      numactl
      perl
      python3
      socat
      tcpdump
      which
    ];
  script =
    { cfg, ... }:
    ''
      # Tests write to their own folder.
      work=$(mktemp --directory --tmpdir=/var/tmp)
      trap 'rm -rf "$work"' EXIT
      cp --recursive --no-preserve=ownership ${cfg.package}/. "$work"
      chmod --recursive u+w "$work"
      cd "$work"
      bash ./run_kselftest.sh "$@"
    '';
  links = pkgs: {
    "/bin/bash" = "${pkgs.bashInteractive}/bin/bash";
    "/sbin/modprobe" = "${pkgs.kmod}/bin/modprobe";
    "/usr/bin/perl" = "${pkgs.perl}/bin/perl";
    # Without this program, tests have no timeout.
    "/usr/bin/timeout" = "${pkgs.coreutils}/bin/timeout";
  };
}
