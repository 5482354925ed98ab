# What the hosts have in common: a service or two, as every machine has.
{ lib, ... }:
{
  system.stateVersion = "24.05";
  boot.kernelParams = [
    "quiet"
    "loglevel=4"
  ];

  # Always there, and never to be restarted by a module that has nothing to do with it.
  systemd.services.heartbeat = {
    description = "Beats";
    wantedBy = [ "multi-user.target" ];
    script = "while sleep 60; do :; done";
  };

  # Done once at each start.
  systemd.services.prepare = {
    description = "Prepares the machine";
    wantedBy = [ "multi-user.target" ];
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
    };
    script = ''mkdir -p "$RUNTIME_MODULE_ROOT/var/lib/minios"'';
  };

  # What a switch must not change; a module that does needs a reboot.
  system.switch.inhibitors.message-bus = lib.mkDefault "the usual one";

  environment.etc.motd.text = lib.mkDefault "Welcome to minios.\n";
}
