# A service whose ExecStartPre fails, and that systemd starts again and again
{
  systemd.services.unprepared = {
    wantedBy = [ "multi-user.target" ];
    preStart = "echo the folder is absent >&2; exit 3";
    script = "exec sleep infinity";
    serviceConfig.Restart = "always";
    serviceConfig.RestartSec = "10s";
  };
}
