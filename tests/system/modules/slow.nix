# A unit that takes four seconds to start
{ ... }:
{
  systemd.services.slow = {
    description = "Slow service";
    wantedBy = [ "multi-user.target" ];
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
    };
    script = "sleep 4";
  };
}
