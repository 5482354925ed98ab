{ self, ... }:
{
  networking.hostName = "machine";
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "24.05";

  # In place of these lines: what nixos-generate-config says of the machine.
  boot.loader.systemd-boot.enable = true;
  fileSystems."/" = {
    device = "/dev/disk/by-label/nixos";
    fsType = "ext4";
  };

  services.runtimeModules = {
    enable = true;
    # What is turned on is added to exactly this configuration.
    flake = self;
    # Where `runtime-module rebuild` takes a newer one from.
    flakeUrl = "git+file:///etc/nixos";
    # rt.podman, rt.printing and others; `runtime-module list` shows them.
    builtinModules.enable = true;
    modules.web.module = ./runtime/web.nix;
  };
}
