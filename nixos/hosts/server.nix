# A server with its own runtime modules: some in a folder, and one inline that uses a special argument and a package
# from an overlay of the host, as any other module can.
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
    # A module could break the network, the only way to reach this host.
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
        description = "A message at each login";
      };
    };
  };
}
