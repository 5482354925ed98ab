# Changes the kernel's parameters and modules, which take effect with a reboot
{ ... }:
{
  boot.kernelParams = [ "mitigations=off" ];
  boot.kernelModules = [ "tun" ];
  boot.initrd.kernelModules = [ "fuse" ];
}
