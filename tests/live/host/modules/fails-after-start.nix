# A service that fails half a second after its start
{
  systemd.services.brief = {
    wantedBy = [ "multi-user.target" ];
    script = "sleep 0.5; echo the connection is lost >&2; exit 4";
    serviceConfig.Restart = "on-failure";
  };
}
