# A service that fails to start
{
  systemd.services.failing = {
    description = "Fails";
    wantedBy = [ "multi-user.target" ];
    serviceConfig.Type = "oneshot";
    script = "exit 1";
  };
}
