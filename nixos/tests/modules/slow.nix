# A service that takes a minute to start
{
  systemd.services.slow = {
    description = "Starts slowly";
    wantedBy = [ "multi-user.target" ];
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
    };
    script = "sleep 60";
  };
}
