# The host `box` with another kernel: a switch to it takes full effect only after a reboot.
{ pkgs, ... }:
{
  imports = [ ./box.nix ];

  # The host name stays that of `box`; only the configuration has another name.
  services.runtimeModules.host = "other-kernel";

  boot.kernelPackages = pkgs.linuxPackages_next;
  boot.kernelParams = [ "panic=1" ];
}
