# A service that keeps running
{ ... }:
{
  systemd.services.beacon = {
    description = "Beacon";
    wantedBy = [ "multi-user.target" ];
    script = "while sleep 60; do :; done";
  };
  environment.etc."beacon.conf".text = "bright\n";
}
