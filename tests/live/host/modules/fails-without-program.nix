# A service whose program does not exist
{
  systemd.services.absent = {
    wantedBy = [ "multi-user.target" ];
    serviceConfig.ExecStart = "/run/current-system/sw/bin/no-such-program";
  };
}
