# Lets nixpkgs build a system and an initrd without a kernel, for guests that get their kernel from QEMU.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  modulesFile = pkgs.writeText "modules-load.conf" (lib.concatLines config.boot.kernelModules);
in
{
  config = lib.mkIf (!config.boot.kernel.enable) {
    # nixpkgs reads the kernel's configuration for the initrd even if there is no kernel (nixpkgs#467069). With these
    # values, it leaves kmod and its services out of the initrd.
    system.build.kernel.config = {
      isSet = _: true;
      isYes = _: false;
      isNo = _: true;
      isModule = _: false;
      isEnabled = _: false;
      isDisabled = _: true;
    };

    # There are no modules to choose from. The drivers that the initrd needs are built into the kernel.
    boot.initrd = {
      availableKernelModules = lib.mkForce [ ];
      kernelModules = lib.mkForce [ ];
    };

    # nixpkgs sets up the loading of modules after the initrd only if boot.kernel.enable is true.
    boot.kernelModules = [
      "loop"
      "atkbd"
    ];
    environment.etc."modules-load.d/nixos.conf".source = modulesFile;
    systemd.services.systemd-modules-load = {
      wantedBy = [ "multi-user.target" ];
      restartTriggers = [ modulesFile ];
      # A driver may be built into the kernel, or missing.
      serviceConfig.SuccessExitStatus = "0 1";
    };
  };
}
