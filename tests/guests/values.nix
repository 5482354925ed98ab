# Values of evaluated guests on a real nixpkgs, by name, compared with values.json. Only values that are the same in all
# releases are compared. `world` is the value of eval.nix.
{ world }:
let
  inherit (world) host lib modules;
  inherit (modules) backends mounts;

  # A kernel whose paths throw: the system must not refer to it.
  noKernel =
    { pkgs, ... }:
    {
      boot.kernelPackages = lib.mkForce (
        pkgs.linuxPackages
        // {
          extend =
            _:
            pkgs.linuxPackages
            // {
              kernel = pkgs.linuxPackages.kernel // {
                outPath = throw "the system refers to a kernel";
                drvPath = throw "the system refers to a kernel";
              };
            };
        }
      );
    };
  imageless = host [
    backends.imageless
    modules.user
    mounts.shares
    noKernel
    { guests.shares."/mnt/src".tag = "src"; }
  ];
  withPassword = host [
    backends.imageless
    { guests.consolePassword = "secret"; }
  ];
  overlay = host [
    backends.imageless
    { guests.storeOverlay.enable = true; }
  ];
  baremetal = host [
    backends.baremetal
    {
      fileSystems."/" = {
        device = "/dev/disk/by-label/root";
        fsType = "ext4";
      };
      boot.loader.systemd-boot.enable = true;
    }
  ];
  runtimeModules = host [
    backends.imageless
    modules.default
    {
      services.runtimeModules = {
        enable = true;
        file = "/etc/nixos/guest.nix";
      };
    }
  ];
  # The imageless backend with the settings of a real machine, but without the backend for real machines.
  overridden = host [
    backends.imageless
    {
      fileSystems = lib.mkForce {
        "/" = {
          device = "/dev/disk/by-label/root";
          fsType = "ext4";
        };
      };
      boot.kernel.enable = true;
      boot.loader.systemd-boot.enable = true;
      networking.firewall.enable = true;
      nix.enable = true;
    }
  ];
  libvirt =
    firmware:
    host [
      backends.libvirt
      modules.user
      { guests.libvirt.firmware = firmware; }
    ];

  suites =
    (host (
      [
        backends.imageless
        modules.profiles.monitoring
        {
          guests.monitoring = {
            enable = true;
            outputDir = "/mnt/results/%i/monitoring";
          };
          guests.testSuites.fio = {
            jobs.read = "[read]";
            arguments = [
              "--debug=50%"
              "--directory=$HOME"
            ];
          };
        }
        (
          { pkgs, ... }:
          {
            guests.testSuites =
              lib.genAttrs
                [
                  "blktests"
                  "gitr"
                  "ltp"
                  "mmtests"
                  "nfstest"
                  "pynfs"
                  "selftests"
                ]
                (_: {
                  package = pkgs.emptyDirectory;
                });
          }
        )
      ]
      ++ lib.attrValues modules.testSuites
    )).config;
  controller =
    (host [
      modules.profiles.controller
      {
        guests.controller = {
          enable = true;
          users = [ "alice" ];
        };
        users.users.alice.isNormalUser = true;
      }
    ]).config;

  autologin = machine: machine.config.systemd.services ? "serial-getty@hvc0";
  mountsOf =
    machine:
    lib.mapAttrs (_: one: { inherit (one) device fsType; }) (
      lib.filterAttrs (_: one: one.enable or true) machine.config.fileSystems
    );
  shape = machine: {
    builds = lib.hasSuffix ".drv" machine.config.system.build.toplevel.drvPath;
    mounts = mountsOf machine;
    autologin = autologin machine;
    root-password = machine.config.users.users.root.password;
    firewall = machine.config.networking.firewall.enable;
    nix = machine.config.nix.enable;
    ssh = {
      inherit (machine.config.services.openssh) enable;
      inherit (machine.config.services.openssh.settings) PasswordAuthentication;
    };
    groups = machine.config.users.users.guest.extraGroups or null;
    consoles = lib.filter (lib.hasPrefix "console=") machine.config.boot.kernelParams;
    initrd-modules = machine.config.boot.initrd.availableKernelModules == [ ];
    loads-modules = lib.elem "loop" machine.config.boot.kernelModules;
  };
in
{
  imageless = shape imageless // {
    boot-json = imageless.config.boot.bootspec.extensions."runtime-module.guest.v1";
  };
  with-password = {
    autologin = autologin withPassword;
    inherit (withPassword.config.users.users.root) password;
  };
  overlay = {
    builds = lib.hasSuffix ".drv" overlay.config.system.build.toplevel.drvPath;
    nix = overlay.config.nix.enable;
    mounts = mountsOf overlay;
    inherit (overlay.config.fileSystems."/nix/store".overlay) lowerdir upperdir;
    registration = lib.hasSuffix ".drv" overlay.config.system.build.guestRegistration.drvPath;
  };
  # Runtime modules need a switch program, but no Nix in the guest.
  runtime-modules = {
    builds = lib.hasSuffix ".drv" runtimeModules.config.system.build.toplevel.drvPath;
    nix = runtimeModules.config.nix.enable;
    switch = runtimeModules.config.system.switch.enable;
  };
  baremetal = shape baremetal // {
    kernel = baremetal.config.boot.kernel.enable;
  };
  overridden = shape overridden;
  libvirt-bios = shape (libvirt "bios");
  libvirt-uefi = shape (libvirt "uefi");
  libvirt-images =
    map (firmware: lib.hasSuffix ".drv" (libvirt firmware).config.system.build.image.drvPath)
      [
        "bios"
        "uefi"
      ];
  # A machine with all test suites and with guests.monitoring.
  suites = {
    units = lib.filter (name: lib.hasPrefix "test-suite-" name || lib.hasPrefix "monitor-" name) (
      lib.attrNames suites.systemd.services
    );
    accounts = lib.mapAttrs (_: unit: unit.serviceConfig.User) (
      lib.filterAttrs (name: _: lib.hasPrefix "test-suite-" name) suites.systemd.services
    );
    users = lib.filter (name: suites.users.users ? ${name}) [
      "blktests"
      "fsgqa"
      "fsgqa2"
      "123456-fsgqa"
      "gitr"
      "sysbench"
    ];
    folders = lib.filter (
      rule: lib.hasInfix "/mnt/" rule || lib.hasInfix "/srv/" rule
    ) suites.systemd.tmpfiles.rules;
    bug-on-assert = lib.any (lib.hasInfix "bug_on_assert") suites.systemd.tmpfiles.rules;
    mariadb = suites.services.mysql.enable;
    postgresql = suites.services.postgresql.enable;
    nfs-server = suites.services.nfs.server.enable;
    exports = lib.filter (line: line != "") (lib.splitString "\n" suites.services.nfs.server.exports);
  };
  # A monitor can write only to its own folder.
  monitor =
    let
      inherit (suites.systemd.services."monitor-cpu-governor@") serviceConfig;
    in
    {
      inherit (serviceConfig)
        NoNewPrivileges
        ProtectSystem
        ReadWritePaths
        WorkingDirectory
        ;
      prepares-as-root = map (lib.hasPrefix "+") serviceConfig.ExecStartPre;
    };
  runner =
    let
      inherit (suites.systemd.services."test-suite-fio@") serviceConfig;
    in
    {
      # systemd must not take the percent sign of an argument as a specifier.
      escapes-percent-signs = lib.hasInfix "--debug=50%%" serviceConfig.ExecStart;
      # systemd must not expand a variable in an argument.
      escapes-dollar-signs = lib.hasInfix "--directory=$$HOME" serviceConfig.ExecStart;
      inherit (serviceConfig) Type TimeoutStartSec;
    };
  controller = {
    inherit (controller.virtualisation.libvirtd) enable;
    inherit (controller.virtualisation.libvirtd.qemu) runAsRoot;
    vhost-user = map lib.getName controller.virtualisation.libvirtd.qemu.vhostUserPackages;
    groups = {
      kvm = controller.users.groups.kvm.members;
      libvirtd = controller.users.groups.libvirtd.members;
    };
  };

  libvirt-domain = lib.splitString "\n" (libvirt "uefi").config.system.build.libvirtDomain.text;
}
