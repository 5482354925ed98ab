# The configuration that all hosts share, with some services.
{ lib, ... }:
{
  system.stateVersion = "24.05";
  boot.kernelParams = [
    "quiet"
    "loglevel=4"
  ];

  # This service is always running. Modules that do not concern it must not restart it.
  systemd.services.heartbeat = {
    description = "Heartbeat";
    wantedBy = [ "multi-user.target" ];
    script = "while sleep 60; do :; done";
  };

  # This service runs once at each start.
  systemd.services.prepare = {
    description = "Machine setup";
    wantedBy = [ "multi-user.target" ];
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
    };
    script = ''mkdir -p "$RUNTIME_MODULE_ROOT/var/lib/minios"'';
  };

  # A switch inhibitor: a module that changes it needs a reboot.
  system.switch.inhibitors.message-bus = lib.mkDefault "the usual one";

  environment.etc.motd.text = lib.mkDefault "Welcome to minios.\n";
}
