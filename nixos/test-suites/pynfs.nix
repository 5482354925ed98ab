# pynfs: tests of the protocol of an NFS server, by default the machine's own.
let
  target =
    lib:
    import ../guests/nfs-target.nix {
      inherit lib;
      export = "/srv/pynfs";
    };
in
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
      tests = mkOption {
        type = types.listOf types.str;
        default = [ "all" ];
        example = [
          "all"
          "noxattr"
        ];
        description = "The names and flags of tests to run.";
      };
    }
    // (target lib).options;
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
    (target lib).machine cfg;
}
