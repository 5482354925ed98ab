# The initial RAM file system.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.boot.initrd;
  inherit (lib) mkOption types;
in
{
  options.boot.initrd = {
    availableKernelModules = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "Kernel modules that are available in the first stage of the boot.";
    };
    kernelModules = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "Kernel modules that the first stage of the boot loads.";
    };
  };

  config.system.build.initialRamdisk =
    pkgs.runCommand "initrd-${config.boot.kernelPackages.kernel.version}"
      {
        modules = cfg.availableKernelModules ++ cfg.kernelModules;
      }
      ''
        mkdir "$out"
        echo "initial file system with:" $modules > "$out/${config.system.boot.loader.initrdFile}"
      '';
}
