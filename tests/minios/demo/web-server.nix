# A web server on port 8080, with a page of its own
{ pkgs, ... }:
let
  site = pkgs.runCommand "web-site" { } ''
    mkdir "$out"
    for page in index about contact; do
      echo "rendering $page.html"
      echo "<h1>$page</h1>" > "$out/$page.html"
      sleep 0.3
    done
  '';
in
{
  systemd.services.web-server = {
    description = "Web server";
    wantedBy = [ "multi-user.target" ];
    serviceConfig.ExecStart = "${pkgs.busybox}/bin/httpd -f -p 8080 -h ${site}";
  };
}
