# Needs another init than the one that runs, so only a reboot brings it
{ pkgs, ... }:
{
  systemd.package = pkgs.systemd // {
    interfaceVersion = 3;
  };
}
