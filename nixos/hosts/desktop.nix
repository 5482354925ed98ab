# A desktop on which every built-in module can be enabled: it allows Steam's unfree packages, and its user is in the
# groups that some modules need.
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
