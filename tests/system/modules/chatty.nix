# Prints ten thousand lines from a unit and from a script
{ ... }:
{
  systemd.services.chatty = {
    description = "Chatty service";
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
