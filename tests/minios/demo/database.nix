# A database that answers on port 5432
{ pkgs, ... }:
let
  tables = pkgs.writeText "tables.conf" ''
    users = name, mail
    orders = number, user, price
  '';
in
{
  environment.etc."database.conf".source = tables;

  users.groups.database.gid = 5432;
  users.users.database = {
    uid = 5432;
    gid = 5432;
    description = "Database server";
  };

  systemd.services.database = {
    description = "Database server";
    wantedBy = [ "multi-user.target" ];
    serviceConfig.ExecStart = "${pkgs.busybox}/bin/nc -lk -p 5432 -e ${pkgs.busybox}/bin/cat ${tables}";
  };
}
