# Virtual machines with libvirt, and a window for them
{
  config,
  lib,
  options,
  pkgs,
  ...
}@args:
let
  inherit (import ./tools.nix args "virt-manager") members windows;
  modules = config.boot.kernelModules ++ config.boot.initrd.kernelModules;
in
lib.mkMerge [
  windows
  (members "libvirtd" "manage machines")
  {
    virtualisation.libvirtd.enable = true;
    virtualisation.spiceUSBRedirection.enable = true;
    programs.virt-manager.enable = true;

    warnings = lib.optional (!lib.any (lib.hasPrefix "kvm") modules) (
      "rt.virt-manager: boot.kernelModules of this host has neither \"kvm-intel\" nor \"kvm-amd\", so machines are "
      + "emulated, and slow, unless something else loads it. Put the one for its processor into the host's own configuration."
    );
  }
]
