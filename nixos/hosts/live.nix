# A machine that forgets everything: its root is in memory, as on a live USB stick, and it has no more than it needs.
{ lib, modulesPath, ... }:
{
  imports = [ (modulesPath + "/profiles/minimal.nix") ];

  networking.hostName = "live";
  fileSystems = {
    "/" = {
      device = "none";
      fsType = "tmpfs";
      options = [ "mode=0755" ];
    };
    "/nix" = {
      device = "/dev/disk/by-label/nix";
      fsType = "ext4";
      neededForBoot = true;
    };
  };
  documentation.enable = lib.mkForce false;
}
