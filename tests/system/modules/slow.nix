# A unit that takes four seconds to start
{ ... }:
{
  systemd.services.slow = {
    description = "Starts slowly";
    wantedBy = [ "multi-user.target" ];
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
    };
    script = "sleep 4";
  };
}
