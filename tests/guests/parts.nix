# The parts that a machine can combine, by name, each with the settings that it needs to evaluate. `machine` evaluates a
# combination of parts. `world` is the value of eval.nix.
{ world }:
let
  inherit (world) lib modules;
  flatten =
    prefix: set:
    lib.concatMapAttrs (
      name: value:
      if builtins.isAttrs value then flatten "${prefix}${name}." value else { ${prefix + name} = value; }
    ) set;
  exported = flatten "" (
    removeAttrs modules [
      "default"
      "runtimeModules"
    ]
  );

  settings = {
    "backends.baremetal" = {
      fileSystems."/" = {
        device = "/dev/disk/by-label/root";
        fsType = "ext4";
      };
      boot.loader.systemd-boot.enable = true;
    };
    "mounts.shares".guests.shares."/mnt/share".tag = "share";
    "mounts.storage".guests.storage."/mnt/storage" = {
      device = "/dev/disk/by-id/virtio-storage";
      fsType = "xfs";
      mkfsArgs = [ "-f" ];
    };
    "profiles.monitoring".guests.monitoring.enable = true;
    "profiles.controller".guests.controller.enable = true;
  };
  # The settings of a machine that imports no backend.
  plain = {
    fileSystems."/" = {
      device = "/dev/disk/by-label/root";
      fsType = "ext4";
    };
    boot.loader.systemd-boot.enable = true;
  };

  isBackend = lib.hasPrefix "backends.";
  # A bare-metal machine has no host, so it has no shares.
  suits = backend: name: !(backend == "backends.baremetal" && name == "mounts.shares");
  names = lib.attrNames exported;
  backends = lib.filter isBackend names;
  others = lib.filter (name: !isBackend name) names;
  # Sets a placeholder for each suite's package that nixpkgs lacks, because an assertion requires a package.
  packages =
    { pkgs, options, ... }:
    {
      # Some parts declare no option below `guests`.
      config = lib.optionalAttrs (options ? guests.testSuites) {
        guests.testSuites = lib.mapAttrs (
          _: suite:
          lib.optionalAttrs (suite ? package && !(suite.package ? default)) { package = pkgs.hello; }
        ) options.guests.testSuites;
      };
    };
  machine =
    combination:
    (world.host (
      map (name: exported.${name}) combination
      ++ map (name: settings.${name} or { }) combination
      ++ lib.optional (!lib.any isBackend combination) plain
      ++ [ packages ]
    )).config.system.build.toplevel.drvPath;

  toplevel = outputs: name: outputs.nixosConfigurations.${name}.config.system.build.toplevel.drvPath;
  template = name: world.flakeIn (../../nixos/templates + "/${name}") "runtime-module";
  existing = name: world.flakeIn (./existing + "/${name}") "nixos-flake";
  packages-of = outputs: map (one: one.drvPath) (lib.attrValues outputs.packages.x86_64-linux);
in
{
  inherit machine names;

  # The flake's checks of guests. Each check is a machine.
  checks = lib.getAttrs (lib.attrNames (
    import ../../nixos/guest-checks.nix {
      self = world.project;
      nixpkgs = world.flake;
    }
  )) world.project.checks.x86_64-linux;

  # Derivations of our unchanged templates, of configurations for nixos-flake, and of the development shells.
  flakes = {
    "template imageless" = [
      (toplevel (template "imageless") "guest")
    ]
    ++ packages-of (template "imageless");
    "template libvirt" = [
      (toplevel (template "libvirt") "guest")
    ]
    ++ packages-of (template "libvirt");
    "template controller" = [ (toplevel (template "controller") "controller") ];
    "existing imageless" = packages-of (existing "imageless");
    "existing libvirt" = packages-of (existing "libvirt");
    shells = map (shell: shell.drvPath) (lib.attrValues world.project.devShells.x86_64-linux);
  };

  # A machine with examples from the documentation, and the modules whose options the examples may use.
  example =
    backend: examples:
    (world.host (
      [
        modules.backends.${backend}
        modules.user
        packages
      ]
      ++ examples
      ++ lib.attrValues modules.mounts
      ++ [
        modules.profiles.controller
        modules.profiles.monitoring
        modules.testSuites.fstests
      ]
    )).config.system.build.toplevel.drvPath;

  # All combinations of parts that `check` evaluates, as lists of names.
  alone = map (name: [ name ]) names;
  together = map (backend: [ backend ] ++ lib.filter (suits backend) others) backends;
  pairs = lib.concatLists (
    lib.imap0 (
      index: first:
      map (second: [
        first
        second
      ]) (lib.filter (suits first) (lib.drop (index + 1) names))
    ) names
  );
  # Whether an assertion refuses a pair.
  isRefused =
    combination:
    lib.length (lib.filter isBackend combination) > 1 && lib.elem "backends.libvirt" combination;
}
