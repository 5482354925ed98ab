# A service that takes four seconds to start and two to stop
{
  systemd.services.slow = {
    wantedBy = [ "multi-user.target" ];
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
    };
    script = "exec sleep 4";
    preStop = "exec sleep 2";
  };
}
