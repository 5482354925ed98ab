# A web server for the files in /var/www
{
  services.nginx = {
    enable = true;
    virtualHosts.localhost.root = "/var/www";
  };
  networking.firewall.allowedTCPPorts = [ 80 ];
}
