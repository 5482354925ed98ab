{ self, ... }:
{
  networking.hostName = "machine";
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "24.05";

  # Replace these lines with the output of nixos-generate-config.
  boot.loader.systemd-boot.enable = true;
  fileSystems."/" = {
    device = "/dev/disk/by-label/nixos";
    fsType = "ext4";
  };

  services.runtimeModules = {
    enable = true;
    # Runtime modules extend exactly this configuration.
    flake = self;
    # `runtime-module rebuild` updates the configuration from here.
    flakeUrl = "git+file:///etc/nixos";
    # rt.podman, rt.printing and others: see `runtime-module list`.
    builtinModules.enable = true;
    modules.web.module = ./runtime/web.nix;
  };
}
