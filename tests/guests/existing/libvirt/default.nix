{ nixos-flake, ... }:
{
  imports = [
    nixos-flake.nixosModules.mounts.shares
    nixos-flake.nixosModules.profiles.controller
  ];

  networking.hostName = "vm";
  system.stateVersion = "24.05";
  nixos-flake.user.name = "kdevops";
  nixos-flake.controller.enable = true;
  nixos-flake.shares."/mnt/src".tag = "src";
}
