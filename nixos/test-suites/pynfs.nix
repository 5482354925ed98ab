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
          "4.2"
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
        description = "The names and flags of the tests to run.";
      };
    }
    // (target lib).options;
  path =
    { pkgs, ... }:
    [
      pkgs.jq
      # The suite needs the module xdrlib, which Python 3.13 no longer has.
      (pkgs.python312.withPackages (python: [ python.ply ]))
    ];
  script =
    { cfg, lib, ... }:
    ''
      # The tests of NFS 4.1 also run with later minor versions.
      cd ${cfg.package}/nfs${if cfg.version == "4.0" then "4.0" else "4.1"}
      rm -f "$results/results.json"
      python3 ./testserver.py --maketree --rundeps --json="$results/results.json" \
        --minorversion=${lib.removePrefix "4." cfg.version} "$@" \
        ${lib.escapeShellArgs ([ "${cfg.server}:${cfg.export}" ] ++ cfg.tests)} || exit
      # The program succeeds even if tests fail.
      jq --exit-status '.failures == 0' "$results/results.json" > /dev/null
    '';
  machine =
    { cfg, lib, ... }:
    (target lib).machine cfg;
}
