# Changes kernel parameters and modules, which take effect after a reboot
{ ... }:
{
  boot.kernelParams = [ "mitigations=off" ];
  boot.kernelModules = [ "tun" ];
  boot.initrd.kernelModules = [ "fuse" ];
}
