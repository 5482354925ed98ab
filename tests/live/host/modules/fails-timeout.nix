# A service that does not finish its start in time
{
  systemd.services.unfinished = {
    wantedBy = [ "multi-user.target" ];
    serviceConfig.Type = "oneshot";
    serviceConfig.TimeoutStartSec = "2s";
    script = "echo waiting; exec sleep infinity";
  };
}
