# A unit that ignores requests to stop
{ ... }:
{
  systemd.services.stubborn = {
    description = "Stubborn service";
    wantedBy = [ "multi-user.target" ];
    serviceConfig.TimeoutStopSec = "2";
    script = ''
      trap "" TERM
      while sleep 1; do :; done
    '';
  };
}
