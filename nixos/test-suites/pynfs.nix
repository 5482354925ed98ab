# pynfs: tests of the protocol of an NFS server, by default the machine's own.
import ../guests/suite.nix {
  name = "pynfs";
  title = "pynfs";
  provides = "`nfs4.0/testserver.py` and `nfs4.1/testserver.py`, the built source";
  extraOptions =
    { lib, ... }:
    let
      inherit (lib) mkOption types;
    in
    {
      version = mkOption {
        type = types.enum [
          "4.0"
          "4.1"
        ];
        default = "4.1";
        description = "The version of the protocol.";
      };
      server = mkOption {
        type = types.str;
        default = "localhost";
        example = "server.example.org";
        description = "The server. With `localhost`, the machine exports `export` itself.";
      };
      export = mkOption {
        type = types.strMatching "/.*";
        default = "/srv/pynfs";
        description = "The exported folder of the server.";
      };
      tests = mkOption {
        type = types.listOf types.str;
        default = [ "all" ];
        example = [
          "all"
          "noxattr"
        ];
        description = "The names and flags of tests to run.";
      };
    };
  path =
    { pkgs, ... }:
    [ (pkgs.python3.withPackages (python: [ python.ply ])) ];
  script =
    { cfg, lib, ... }:
    ''
      cd ${cfg.package}/nfs${cfg.version}
      exec python3 ./testserver.py --maketree --rundeps --json="$results/results.json" "$@" ${
        lib.escapeShellArgs ([ "${cfg.server}:${cfg.export}" ] ++ cfg.tests)
      }
    '';
  machine =
    { cfg, lib, ... }:
    {
      systemd.tmpfiles.rules = lib.optional (
        cfg.server == "localhost"
      ) "d ${cfg.export} 0777 root root -";
      services.nfs.server = lib.mkIf (cfg.server == "localhost") {
        enable = lib.mkDefault true;
        exports = "${cfg.export} localhost(rw,sync,no_root_squash,no_subtree_check,insecure)\n";
      };
    };
}
