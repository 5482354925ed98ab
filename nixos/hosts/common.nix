# The configuration that all of these hosts share.
{ lib, self, ... }:
{
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "24.05";

  boot.loader.systemd-boot.enable = lib.mkDefault true;
  fileSystems."/" = lib.mkDefault {
    device = "/dev/disk/by-label/root";
    fsType = "ext4";
  };

  services.runtimeModules = {
    enable = true;
    flake = self;
    builtinModules.enable = lib.mkDefault true;
  };
}
