# Prints ten thousand lines, by a unit and by a script
{ ... }:
{
  systemd.services.chatty = {
    description = "Talks";
    wantedBy = [ "multi-user.target" ];
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
      LogRateLimitIntervalSec = "0";
    };
    script = "seq 10000 | sed 's/^/the unit says /'";
  };
  system.activationScripts.chatty = "seq 10000 | sed 's/^/the script says /'";
}
