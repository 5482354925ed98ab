# A small server with remote access, a web server, a database and a user.
{ self, ... }:
{
  imports = [ ../../../nixos/runtime-modules ];

  networking.hostName = "box";
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "24.05";

  boot.loader.systemd-boot.enable = true;
  fileSystems."/" = {
    device = "/dev/disk/by-label/root";
    fsType = "ext4";
  };
  fileSystems."/boot" = {
    device = "/dev/disk/by-label/boot";
    fsType = "vfat";
  };

  services.openssh.enable = true;
  services.postgresql.enable = true;
  services.nginx = {
    enable = true;
    virtualHosts."box.example" = {
      default = true;
      root = "/var/www";
    };
  };
  networking.firewall.allowedTCPPorts = [ 80 ];

  users.users.someone = {
    isNormalUser = true;
    extraGroups = [ "wheel" ];
  };

  services.runtimeModules = {
    enable = true;
    flake = self;
    modules = {
      jenkins = {
        module = ../modules/jenkins.nix;
        description = "Build server, on port 8080";
      };
      grafana.module = ../modules/grafana.nix;
      gotosocial.module = ../modules/gotosocial.nix;
      podman = ../modules/podman.nix;
      printing = ../modules/printing.nix;
      tailscale = ../modules/tailscale.nix;
      prometheus = ../modules/prometheus.nix;
      unfree = ../modules/unfree.nix;
      # This module has no file of its own, so the host must be evaluated to find it.
      inline = {
        module = import ../modules/inline.nix;
        description = "A module without a file";
      };
    };
  };
}
