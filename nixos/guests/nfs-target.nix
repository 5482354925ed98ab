# The NFS server that a test suite uses, by default the machine itself. `export` is the default of the option `export`.
{ lib, export }:
let
  inherit (lib) mkOption types;
in
{
  options = {
    server = mkOption {
      type = types.str;
      default = "localhost";
      example = "server.example.org";
      description = "The NFS server. With `localhost`, the machine itself exports the folder `export`.";
    };
    export = mkOption {
      type = types.strMatching "/.*";
      default = export;
      description = "The folder that the server exports.";
    };
  };

  # The settings of a machine that exports the folder itself.
  machine =
    cfg:
    lib.mkIf (cfg.server == "localhost") {
      systemd.tmpfiles.rules = [ "d ${cfg.export} 0777 root root -" ];
      services.nfs.server = {
        enable = lib.mkDefault true;
        exports = "${cfg.export} localhost(rw,sync,no_root_squash,no_subtree_check,insecure)\n";
      };
    };
}
