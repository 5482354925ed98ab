# A service that stays up
{ ... }:
{
  systemd.services.beacon = {
    description = "Shines";
    wantedBy = [ "multi-user.target" ];
    script = "while sleep 60; do :; done";
  };
  environment.etc."beacon.conf".text = "bright\n";
}
