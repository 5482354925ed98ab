# The kernel, what it is told, and the modules that go with it.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.boot;
  inherit (lib) mkOption types;
in
{
  options = {
    boot = {
      kernelPackages = mkOption {
        type = types.raw;
        default = pkgs.linuxPackages;
        defaultText = lib.literalExpression "pkgs.linuxPackages";
        description = "The kernel and the packages that are built for it.";
      };
      kernelParams = mkOption {
        type = types.listOf (types.strMatching "([^\"[:space:]]|\"[^\"]*\")+");
        default = [ ];
        description = "What stands on the kernel's command line.";
      };
      kernelModules = mkOption {
        type = types.listOf types.str;
        default = [ ];
        description = "Kernel modules that are loaded in the second stage of the boot.";
      };
      extraModulePackages = mkOption {
        type = types.listOf types.package;
        default = [ ];
        description = "Packages with further kernel modules.";
      };
    };
    system.modulesTree = mkOption {
      type = types.listOf types.path;
      internal = true;
      default = [ ];
      description = "Trees of kernel modules; a value of one tree with all of them.";
      apply = pkgs.aggregateModules;
    };
    system.boot.loader = {
      id = mkOption {
        type = types.str;
        internal = true;
        default = "";
        description = "The boot loader that is in use.";
      };
      kernelFile = mkOption {
        type = types.str;
        internal = true;
        default = "bzImage";
        description = "The name of the kernel's file in its package.";
      };
      initrdFile = mkOption {
        type = types.str;
        internal = true;
        default = "initrd";
        description = "The name of the initial file system's file in its package.";
      };
    };
  };

  config = {
    boot.kernelModules = [ "loop" ];
    system.modulesTree = [ cfg.kernelPackages.kernel ] ++ cfg.extraModulePackages;
    system.build.kernel = cfg.kernelPackages.kernel;
    environment.etc."modules-load.d/nixos.conf".text = lib.concatLines cfg.kernelModules;
  };
}
