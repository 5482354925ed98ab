# The same machine with another kernel: whoever switches to it from `box` needs a reboot for all of it to hold.
{ pkgs, ... }:
{
  imports = [ ./box.nix ];

  # The machine's name stays that of `box`; only the configuration goes by another one.
  services.runtimeModules.host = "other-kernel";

  boot.kernelPackages = pkgs.linuxPackages_next;
  boot.kernelParams = [ "panic=1" ];
}
