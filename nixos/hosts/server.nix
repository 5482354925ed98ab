# A server, with modules of its own: in a folder, and one written where it is declared. That one uses a special argument
# and a package of an overlay of the host, which hold for runtime modules as for all others.
{ self, ... }:
{
  networking.hostName = "server";
  nixpkgs.overlays = [
    (_final: previous: {
      trial = previous.writeText "trial" "Something is being tried out.\n";
    })
  ];

  services.openssh.enable = true;
  networking.firewall.allowedTCPPorts = [ 80 ];

  services.runtimeModules = {
    builtinModules.enable = false;
    flakeUrl = "git+file:///etc/nixos";
    # Its network may be what a module breaks.
    confirm = "2m";
    restoreAtBoot = true;
    prefetch = [ "motd" ];
    modules = self.lib.modulesIn ./modules // {
      motd = {
        module =
          {
            lib,
            pkgs,
            self,
            ...
          }:
          {
            users.motd = lib.mkIf (self ? nixosConfigurations) "Something is being tried out.";
            environment.etc.trial.source = pkgs.trial;
          };
        description = "Says at every login that something is being tried out";
      };
    };
  };
}
