# A web server, and the firewall's port for it
{ pkgs, ... }:
{
  services.nginx = {
    enable = true;
    virtualHosts.machine = {
      default = true;
      root = pkgs.writeTextDir "index.html" "hello from NixOS\n";
    };
  };
  networking.firewall.allowedTCPPorts = [ 80 ];
}
