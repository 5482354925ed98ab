# sysbench: database load on a file system. nixpkgs builds sysbench only with the MySQL driver, so the suite uses
# MariaDB. The PostgreSQL server is for other programs, which have their own driver.
import ../guests/suite.nix {
  name = "sysbench";
  title = "sysbench";
  package = pkgs: pkgs.sysbench;
  user = "sysbench";
  extraOptions =
    { lib, ... }:
    let
      inherit (lib) mkOption types;
    in
    {
      workload = mkOption {
        type = types.strMatching "oltp_[a-z_]+";
        default = "oltp_read_write";
        example = "oltp_write_only";
        description = "The workload to run.";
      };
      postgresql.enable = mkOption {
        type = types.bool;
        default = true;
        example = false;
        description = "Whether the machine runs PostgreSQL with a database for the account `sysbench`.";
      };
    };
  path = { cfg, ... }: [ cfg.package ];
  script =
    { cfg, ... }:
    ''
      database=(--db-driver=mysql --mysql-socket=/run/mysqld/mysqld.sock --mysql-user=sysbench --mysql-db=sysbench)
      sysbench ${cfg.workload} "''${database[@]}" "$@" prepare || exit
      sysbench ${cfg.workload} "''${database[@]}" --histogram=on "$@" run > "$results/results.txt"
      status=$?
      sysbench ${cfg.workload} "''${database[@]}" "$@" cleanup
      exit "$status"
    '';
  machine =
    {
      cfg,
      lib,
      pkgs,
      ...
    }:
    {
      users.users.sysbench = {
        isSystemUser = true;
        group = "sysbench";
        description = "Account for sysbench";
      };
      users.groups.sysbench = { };
      services.mysql = {
        enable = true;
        package = lib.mkDefault pkgs.mariadb;
        ensureDatabases = [ "sysbench" ];
        ensureUsers = [
          {
            name = "sysbench";
            ensurePermissions."sysbench.*" = "ALL PRIVILEGES";
          }
        ];
      };
      services.postgresql = lib.mkIf cfg.postgresql.enable {
        enable = true;
        ensureDatabases = [ "sysbench" ];
        ensureUsers = [
          {
            name = "sysbench";
            ensureDBOwnership = true;
          }
        ];
      };
      systemd.services."test-suite-sysbench@" = {
        requires = [ "mysql.service" ];
        after = [ "mysql.service" ];
      };
    };
}
