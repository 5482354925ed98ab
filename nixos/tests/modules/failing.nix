# A service that does not start
{
  systemd.services.failing = {
    description = "Fails";
    wantedBy = [ "multi-user.target" ];
    serviceConfig.Type = "oneshot";
    script = "exit 1";
  };
}
