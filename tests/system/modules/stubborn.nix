# A unit that does not end when it is told to
{ ... }:
{
  systemd.services.stubborn = {
    description = "Does not want to end";
    wantedBy = [ "multi-user.target" ];
    serviceConfig.TimeoutStopSec = "2";
    script = ''
      trap "" TERM
      while sleep 1; do :; done
    '';
  };
}
