# The kernel, its parameters and its modules.
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
        description = "The kernel and the packages built for it.";
      };
      kernelParams = mkOption {
        type = types.listOf (types.strMatching "([^\"[:space:]]|\"[^\"]*\")+");
        default = [ ];
        description = "The parameters on the kernel's command line.";
      };
      kernelModules = mkOption {
        type = types.listOf types.str;
        default = [ ];
        description = "Kernel modules that the second stage of the boot loads.";
      };
      extraModulePackages = mkOption {
        type = types.listOf types.package;
        default = [ ];
        description = "Packages with additional kernel modules.";
      };
    };
    system.modulesTree = mkOption {
      type = types.listOf types.path;
      internal = true;
      default = [ ];
      description = "Trees of kernel modules, merged into one tree.";
      apply = pkgs.aggregateModules;
    };
    system.boot.loader = {
      id = mkOption {
        type = types.str;
        internal = true;
        default = "";
        description = "The boot loader in use.";
      };
      kernelFile = mkOption {
        type = types.str;
        internal = true;
        default = "bzImage";
        description = "The name of the kernel image in its package.";
      };
      initrdFile = mkOption {
        type = types.str;
        internal = true;
        default = "initrd";
        description = "The name of the initial RAM file system in its package.";
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
