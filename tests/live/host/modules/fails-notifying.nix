# A service that never reports that it is ready
{
  systemd.services.unready = {
    wantedBy = [ "multi-user.target" ];
    serviceConfig.Type = "notify";
    serviceConfig.TimeoutStartSec = "2s";
    script = "exec sleep infinity";
  };
}
