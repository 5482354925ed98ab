# A unit of the user manager
{ ... }:
let
  unit = ''
    [Unit]
    Description=Something of the user's

    [Service]
    ExecStart=/bin/sleep infinity
  '';
in
{
  environment.etc."systemd/user/lamp.service".text = unit;
}
