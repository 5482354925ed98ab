# The Linux Test Project: tests of system calls and of the kernel's interfaces.
import ../guests/suite.nix {
  name = "ltp";
  title = "the Linux Test Project";
  provides = "`runltp`, as `make install` creates it";
  path =
    { pkgs, ... }:
    with pkgs;
    [
      acl
      attr
      bc
      btrfs-progs
      dosfstools
      e2fsprogs
      exfatprogs
      iproute2
      quota
      xfsprogs
    ];
  script =
    { cfg, ... }:
    ''
      work=$(mktemp --directory)
      trap 'rm -rf "$work"' EXIT
      export LTPROOT=${cfg.package}
      ${cfg.package}/runltp -p -q -l "$results/results.log" -o "$results/tests.log" -C "$results/failed" -d "$work" "$@"
    '';
  machine = _: {
    # Tests of file permissions switch to these accounts.
    users.users.nobody.uid = 65534;
    users.groups.nogroup.gid = 65534;
  };
}
