# A host with a specialisation: a variant of itself that is built together with it.
{ self, ... }:
{
  imports = [
    ./common.nix
    ../../../nixos/runtime-modules
  ];

  networking.hostName = "spec";

  specialisation.travel.configuration = {
    environment.etc.motd.text = "On the way.\n";
    systemd.services.heartbeat.environment.PLACE = "away";
  };

  services.runtimeModules = {
    enable = true;
    flake = self;
    modules.hello = ../runtime/hello.nix;
  };
}
