# A writable store for guests that build: an overlay in memory over the host's store.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.guests.storeOverlay;
  inherit (lib) mkOption types;
in
{
  options.guests.storeOverlay.enable = mkOption {
    type = types.bool;
    default = false;
    example = true;
    description = ''
      Whether an imageless guest can build derivations. If so, the guest has Nix, and its store is writable: it is an
      overlay in the guest's memory over the host's store.

      While the overlay is mounted, its lower layer, the host's store, must not change: the kernel leaves the result
      undefined. Therefore, do not enable runtime modules on the running guest from its host, because the host would add
      paths to its store.

      Overlayfs must be built into the guest's kernel. To use the packages of the system in builds, start the guest with
      `regInfo=PATH/registration` on the kernel's command line. PATH is the path of `system.build.guestRegistration`.
    '';
  };

  config = lib.mkIf (cfg.enable && config.guests.backend == "imageless") {
    assertions = [
      {
        assertion = !(config.services.runtimeModules.enable or false);
        message =
          "cannot enable runtime modules on a guest with guests.storeOverlay.enable: the host would add paths to its "
          + "store, which must not change while the overlay is mounted. Disable guests.storeOverlay.enable or "
          + "services.runtimeModules.enable.";
      }
    ];

    nix.enable = true;
    fileSystems = {
      "/nix/.host-store" = {
        device = "store";
        fsType = "virtiofs";
        options = [ "ro" ];
        neededForBoot = true;
        noCheck = true;
      };
      "/nix/.overlay" = {
        device = "tmpfs";
        fsType = "tmpfs";
        options = [ "mode=0755" ];
        neededForBoot = true;
      };
      "/nix/store" = {
        overlay = {
          lowerdir = [ "/nix/.host-store" ];
          upperdir = "/nix/.overlay/upper";
          workdir = "/nix/.overlay/work";
        };
        neededForBoot = true;
      };
    };

    system.build.guestRegistration = pkgs.closureInfo {
      rootPaths = [ config.system.build.toplevel ];
    };
    systemd.services.register-store = {
      description = "Register the paths of the host's store";
      wantedBy = [ "multi-user.target" ];
      before = [
        "nix-daemon.socket"
        "nix-daemon.service"
      ];
      unitConfig = {
        DefaultDependencies = false;
        RequiresMountsFor = "/nix/store";
        ConditionKernelCommandLine = "regInfo";
      };
      after = [ "local-fs.target" ];
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
      };
      script = ''
        for word in $(< /proc/cmdline); do
          case $word in
            regInfo=*) ${config.nix.package.out}/bin/nix-store --load-db < "''${word#regInfo=}" ;;
          esac
        done
      '';
    };
  };
}
