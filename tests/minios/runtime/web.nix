# A small web server on port 8088
{ pkgs, ... }:
{
  environment.etc."web/index.html".text = "<h1>minios</h1>\n";

  systemd.services.web = {
    description = "Web server";
    wantedBy = [ "multi-user.target" ];
    serviceConfig.ExecStart = "${pkgs.busybox}/bin/httpd -f -p 8088 -h /etc/web";
  };
}
