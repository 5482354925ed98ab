{
  inputs,
  lib,
  nixos-flake,
  pkgs,
  ...
}:
{
  imports = [
    nixos-flake.nixosModules.mounts.shares
    nixos-flake.nixosModules.mounts.storage
    nixos-flake.nixosModules.profiles.build-tools
    nixos-flake.nixosModules.profiles.devel
    nixos-flake.nixosModules.profiles.monitoring
    nixos-flake.nixosModules.testSuites.fstests
    nixos-flake.nixosModules.testSuites.sysbench
  ];

  networking.hostName = "vm";
  nixos-flake.user.name = "kdevops";
  nixos-flake.user.extraGroups = lib.mkForce [ "wheel" ];
  nixos-flake.shares."/var/lib/xfstests" = {
    tag = "fstests";
    options = [ "nofail" ];
  };
  nixos-flake.storage."/mnt/results" = {
    device = "/dev/vdb";
    fsType = "ext4";
    autoFormat = true;
  };
  nixos-flake.storage."/mnt/data" = {
    device = "/dev/vdc";
    fsType = "xfs";
    options = [ "noatime" ];
    mkfsArgs = "-f -m reflink=1";
  };
  nixos-flake.monitoring = {
    enable = true;
    outputDir = "/mnt/results/%i/monitoring";
    sysstat.interval = 1;
    sysstat.maxSamples = 3600;
    cpuGovernor.enable = false;
    blkalgn.disk = "vdc";
    blkalgn.ops = "Write";
    biolatency.perDisk = true;
    biolatency.interval = 10;
  };

  users.users.root.openssh.authorizedKeys.keys = [ "ssh-ed25519 AAAA" ];
  environment.systemPackages = [ pkgs.hello ];
  environment.etc.tool-source.text = toString inputs.tool-src;
}
