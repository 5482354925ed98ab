# The modules of every minios system. Files are named by the path of their options.
{
  imports = [
    ./assertions.nix
    ./boot/initrd.nix
    ./boot/kernel.nix
    ./environment/etc.nix
    ./environment/system-packages.nix
    ./hardware.nix
    ./networking.nix
    ./nixpkgs.nix
    ./specialisation.nix
    ./system/activation-scripts.nix
    ./system/build.nix
    ./system/nixos.nix
    ./system/state-version.nix
    ./system/switch.nix
    ./system/toplevel.nix
    ./systemd/package.nix
    ./systemd/services.nix
    ./systemd/units.nix
    ./users.nix
  ];
}
