# Needs another init, and so a reboot
{ pkgs, ... }:
{
  systemd.package = pkgs.systemd // {
    interfaceVersion = 3;
  };
}
