# The imageless system on real hardware. A machine sets its own file systems and boot loader. Assertions name the values
# that are still those of a guest.
{ config, lib, ... }:
let
  cfg = config.guests;
  pure = import ../guests/lib.nix { inherit lib; };
  # A priority that is stronger than the backend's mkDefault, and weaker than the machine's own definitions.
  mkForMachine = lib.mkOverride 900;

  loaders = lib.filter (name: config.boot.loader.${name}.enable or false) [
    "external"
    "generationsDir"
    "generic-extlinux-compatible"
    "grub"
    "initScript"
    "limine"
    "refind"
    "systemd-boot"
  ];
  isEnabled = fileSystem: fileSystem.enable or true;
in
{
  imports = [ ./imageless.nix ];

  config = lib.mkMerge [
    { guests.backends = [ "baremetal" ]; }

    (lib.mkIf (cfg.backend == "baremetal") {
      boot.kernel.enable = mkForMachine true;
      hardware.enableRedistributableFirmware = lib.mkDefault true;

      assertions = pure.baremetalAssertions {
        inherit loaders;
        kernel = config.boot.kernel.enable;
        initrdModules = config.boot.initrd.availableKernelModules;
        inherit (config.boot) kernelParams;
        fileSystems = lib.mapAttrs (_: one: { inherit (one) device fsType; }) (
          lib.filterAttrs (_: isEnabled) config.fileSystems
        );
      };
    })
  ];
}
