# A server, with modules of its own: as paths, in a folder, and one written where it is declared.
{ self, ... }:
{
  networking.hostName = "server";

  services.openssh.enable = true;
  networking.firewall.allowedTCPPorts = [ 80 ];

  services.runtimeModules = {
    builtinModules.enable = false;
    flakeUrl = "git+file:///etc/nixos";
    # Its network may be what a module breaks.
    confirm = "2m";
    restoreAtBoot = true;
    modules = self.lib.modulesIn ./modules // {
      motd = {
        module.users.motd = "Something is being tried out.";
        description = "Says at every login that something is being tried out";
      };
    };
  };
}
