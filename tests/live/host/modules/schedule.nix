# A timer, a rule of tmpfiles and a package
{ pkgs, ... }:
{
  systemd.timers.tick = {
    wantedBy = [ "timers.target" ];
    timerConfig.OnActiveSec = "1s";
    timerConfig.AccuracySec = "100ms";
  };
  systemd.services.tick.script = "date > /run/tick";
  systemd.tmpfiles.rules = [ "f /run/from-tmpfiles 0640 root wheel - content" ];
  environment.systemPackages = [ pkgs.jq ];
}
