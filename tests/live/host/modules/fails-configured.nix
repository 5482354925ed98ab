# A web server with a configuration that nginx refuses when it starts
{
  services.nginx = {
    enable = true;
    virtualHosts.machine.listen = [
      {
        addr = "192.0.2.1";
        port = 80;
      }
    ];
  };
}
