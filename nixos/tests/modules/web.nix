# A web server on port 8088
{ pkgs, ... }:
{
  systemd.services.web = {
    description = "Web server";
    wantedBy = [ "multi-user.target" ];
    serviceConfig.ExecStart = "${pkgs.busybox}/bin/httpd -f -p 8088 -h /etc";
  };
}
