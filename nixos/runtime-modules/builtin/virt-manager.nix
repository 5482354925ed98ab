# Virtual machines with libvirt and virt-manager
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
  (members "libvirtd" "manage virtual machines")
  {
    virtualisation.libvirtd.enable = true;
    virtualisation.spiceUSBRedirection.enable = true;
    programs.virt-manager.enable = true;

    warnings = lib.optional (!lib.any (lib.hasPrefix "kvm") modules) (
      "rt.virt-manager: boot.kernelModules of this host contains neither \"kvm-intel\" nor \"kvm-amd\", so virtual "
      + "machines are emulated and slow, unless something else loads the module. Add the one for the host's processor "
      + "to its configuration."
    );
  }
]
