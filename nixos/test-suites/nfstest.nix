# NFStest: tests of the NFS client against a server, by default the machine's own.
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
      server = mkOption {
        type = types.str;
        default = "localhost";
        example = "server.example.org";
        description = "The server. With `localhost`, the machine exports `export` itself.";
      };
      export = mkOption {
        type = types.strMatching "/.*";
        default = "/srv/nfstest";
        description = "The exported folder of the server.";
      };
    };
  path =
    { pkgs, ... }:
    with pkgs;
    [
      iproute2
      iptables
      nfs-utils
      python3
      sudo
      tcpdump
    ];
  script =
    { cfg, lib, ... }:
    ''
      cd "$results"
      exec ${cfg.package}/bin/${cfg.test} ${
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
    {
      boot.supportedFilesystems = [ "nfs" ];
      systemd.tmpfiles.rules = [
        "d /mnt/nfstest 0755 root root -"
      ]
      ++ lib.optional (cfg.server == "localhost") "d ${cfg.export} 0777 root root -";
      services.nfs.server = lib.mkIf (cfg.server == "localhost") {
        enable = lib.mkDefault true;
        exports = "${cfg.export} localhost(rw,sync,no_root_squash,no_subtree_check,insecure)\n";
      };
    };
}
