# NFStest: tests of the NFS client against a server, by default the machine's own.
let
  target =
    lib:
    import ../guests/nfs-target.nix {
      inherit lib;
      export = "/srv/nfstest";
    };
in
import ../guests/suite.nix {
  name = "nfstest";
  title = "NFStest";
  provides = "`bin/nfstest_posix` and the other tests";
  extraOptions =
    { lib, ... }:
    let
      inherit (lib) mkOption types;
    in
    {
      test = mkOption {
        type = types.strMatching "nfstest_[a-z0-9_]+";
        default = "nfstest_posix";
        example = "nfstest_delegation";
        description = "The test to run.";
      };
    }
    // (target lib).options;
  path =
    { pkgs, ... }:
    with pkgs;
    [
      iproute2
      iptables
      nfs-utils
      python3
      tcpdump
    ];
  script =
    { cfg, lib, ... }:
    ''
      cd "$results"
      exec ${cfg.package}/bin/${cfg.test} --createlog --tmpdir "$results" ${
        lib.escapeShellArgs [
          "--server"
          cfg.server
          "--export"
          cfg.export
          "--mtpoint"
          "/mnt/nfstest"
        ]
      } "$@"
    '';
  machine =
    { cfg, lib, ... }:
    lib.mkMerge [
      {
        boot.supportedFilesystems = [ "nfs" ];
        systemd.tmpfiles.rules = [ "d /mnt/nfstest 0755 root root -" ];
      }
      ((target lib).machine cfg)
    ];
}
