# A guest without an image: QEMU loads the kernel and the initrd, the root file system is in memory, and the host's
# store and the kernel's modules are mounted with virtiofs. Every value can be overridden.
{
  config,
  lib,
  modulesPath,
  options,
  pkgs,
  ...
}:
let
  cfg = config.guests;
  inherit (lib) mkDefault mkIf;
  # The backend `baremetal` runs the same system on real hardware.
  isActive = cfg.backend == "imageless" || cfg.backend == "baremetal";
  isGuest = cfg.backend == "imageless";
  pure = import ../guests/lib.nix { inherit lib; };
  sharedFromHost = tag: {
    device = tag;
    fsType = "virtiofs";
    options = [ "ro" ];
    neededForBoot = true;
    # There is no device to check.
    noCheck = true;
  };
in
{
  imports = [
    (modulesPath + "/profiles/minimal.nix")
    ../guests/backend.nix
    ../guests/boot-json.nix
    ../guests/console.nix
    ../guests/keys.nix
    ../guests/store-overlay.nix
    ../guests/without-kernel.nix
  ];

  config = lib.mkMerge [
    { guests.backends = [ "imageless" ]; }

    (mkIf isActive {
      boot = {
        kernel.enable = mkDefault false;
        loader.grub.enable = mkDefault false;
        initrd.systemd.enable = mkDefault true;
      };
      fileSystems."/" = mkDefault {
        device = "tmpfs";
        fsType = "tmpfs";
        options = [ "mode=0755" ];
      };

      networking = {
        useNetworkd = mkDefault true;
        useDHCP = mkDefault false;
      };
      systemd.network.wait-online = {
        anyInterface = mkDefault true;
        # A test kernel may have no network at all.
        timeout = mkDefault 20;
      };
      systemd.network.networks."10-guest" = {
        matchConfig.Name = mkDefault "en*";
        networkConfig.DHCP = mkDefault "yes";
      };
      services.openssh = {
        enable = mkDefault true;
        settings = {
          PasswordAuthentication = mkDefault false;
          KbdInteractiveAuthentication = mkDefault false;
          PermitRootLogin = mkDefault "prohibit-password";
        };
      };

      # In 24.05, the minimal profile rebuilds many packages without X libraries.
      environment =
        lib.optionalAttrs (options.environment ? noXlibs && (options.environment.noXlibs.visible or true))
          {
            noXlibs = lib.mkOverride 900 false;
          };
    })

    (mkIf isGuest {
      # A guest keeps no state between starts, so its stateVersion can follow nixpkgs.
      system.stateVersion = mkDefault lib.trivial.release;
      # A switch in the guest has no boot loader to install.
      system.build.installBootLoader = mkDefault "${pkgs.coreutils}/bin/true";
      fileSystems = lib.mapAttrs' (
        tag: mountPoint: lib.nameValuePair mountPoint (mkDefault (sharedFromHost tag))
      ) pure.guestTags;
      boot.initrd.systemd.emergencyAccess = mkDefault true;
      # The initrd mounts the root file system with its final options, so it need not be mounted again.
      systemd.services.systemd-remount-fs.enable = mkDefault false;
      networking.firewall.enable = mkDefault false;
      nix.enable = mkDefault false;
    })
  ];
}
