# A desktop on which every built-in module can be turned on: it allows what is not free of Steam, and its user is in the
# groups that some modules ask for.
{ lib, ... }:
{
  networking.hostName = "desktop";
  boot.kernelModules = [ "kvm-amd" ];

  programs.sway.enable = true;
  services.pipewire = {
    enable = true;
    alsa.enable = true;
    pulse.enable = true;
  };

  users.users.someone = {
    isNormalUser = true;
    extraGroups = [
      "docker"
      "libvirtd"
      "wheel"
    ];
  };

  nixpkgs.config.allowUnfreePredicate =
    package:
    builtins.elem (lib.getName package) [
      "steam"
      "steam-original"
      "steam-run"
      "steam-runtime"
      "steam-unwrapped"
    ];
}
