# Values of evaluated modules, by name, compared with values.json. Only values that are the same in several nixpkgs
# releases are compared.
{
  lib,
  nixpkgs,
  project,
}:
let
  hosts = project.nixosConfigurations;
  inherit (project.lib) withModules;
  inherit (hosts.desktop.config.services.runtimeModules) registry;
  names = map (entry: entry.name) registry;
  # All built-in modules together, except one of two that conflict, so that a single evaluation is sufficient.
  all = (withModules hosts.desktop (lib.remove "rt.docker" names)).config;
  docker = (withModules hosts.desktop [ "rt.docker" ]).config;
  server =
    (withModules hosts.server (
      map (entry: entry.name) hosts.server.config.services.runtimeModules.registry
    )).config;

  programs = map lib.getName all.environment.systemPackages;
  has = lib.flip lib.elem programs;
  document =
    host:
    builtins.fromJSON (
      builtins.unsafeDiscardStringContext host.config.environment.etc."runtime-modules/config.json".text
    );

  # A small host without the option, with it, and with a module enabled.
  inherit (hosts) live;
  bare = live.extendModules {
    modules = [ { services.runtimeModules.enable = lib.mkForce false; } ];
  };
  toggled = withModules live [ "rt.postgresql" ];
  boots = host: {
    initrd = host.config.system.build.initialRamdisk.drvPath;
    kernel = host.config.boot.kernelPackages.kernel.drvPath;
    parameters = host.config.boot.kernelParams;
  };
in
{
  # Neither the option nor a toggle changes the files for booting.
  boots-the-same = {
    with-the-option = boots live == boots bare;
    with-a-module = boots live == boots toggled;
    needs-reboot = lib.attrNames (project.lib.needsReboot live toggled);
  };
  # Changes to these files are detected.
  needs-reboot = lib.attrNames (
    project.lib.needsReboot live (
      live.extendModules {
        modules = [
          {
            boot.kernelParams = [ "mitigations=off" ];
            boot.initrd.kernelModules = [ "fuse" ];
          }
        ];
      }
    )
  );

  # The outputs of the flake.
  outputs = {
    modules = lib.attrNames project.nixosModules;
    lib = lib.attrNames project.lib;
    templates = lib.mapAttrs (
      _: template: builtins.pathExists (template.path + "/flake.nix")
    ) project.templates;
    overlay = lib.isFunction project.overlays.default;
    checks = lib.attrNames project.checks.x86_64-linux;
  };
  registry = names;
  server-modules = map (entry: entry.name) hosts.server.config.services.runtimeModules.registry;
  settings = {
    inherit (document hosts.server)
      confirm
      elevation
      flakeUrl
      host
      onFailedUnits
      restoreAtBoot
      settle
      ;
  };
  boot-service = {
    inherit (hosts.server.config.systemd.services.runtime-modules-boot) after restartIfChanged wants;
    type = hosts.server.config.systemd.services.runtime-modules-boot.serviceConfig.Type;
  };
  prefetch = {
    # Some releases of nixpkgs quote every argument, others only those that need quotes.
    command = lib.replaceStrings [ (lib.escapeShellArg "motd") ] [ "motd" ] (
      lib.last (
        lib.splitString "/bin/" hosts.server.config.systemd.services.runtime-modules-prefetch.serviceConfig.ExecStart
      )
    );
    timer = hosts.server.config.systemd.timers.runtime-modules-prefetch.wantedBy;
    nothing = hosts.desktop.config.systemd.services ? runtime-modules-prefetch;
  };
  hook-is-there = lib.hasInfix "__switched" hosts.server.config.system.activationScripts.runtimeModules.text;

  gimp = has "gimp";
  kdenlive = has "kdenlive";
  libreoffice = lib.any (lib.hasPrefix "libreoffice") programs;
  development = map has [
    "gdb"
    "gnumake"
    "ripgrep"
  ];
  gaming = {
    inherit (all.programs.gamemode) enable;
    gamescope = all.programs.gamescope.enable;
    mangohud = has "mangohud";
  };
  podman = {
    inherit (all.virtualisation.podman) enable dockerCompat;
  };
  docker = docker.virtualisation.docker.enable;
  steam = {
    inherit (all.programs.steam) enable;
    hardware = all.hardware.steam-hardware.enable;
  };
  wine = {
    program = lib.any (lib.hasPrefix "wine") programs;
    winetricks = has "winetricks";
    drivers = all.hardware.graphics.enable32Bit or all.hardware.opengl.driSupport32Bit;
  };
  virt-manager = {
    libvirtd = all.virtualisation.libvirtd.enable;
    window = all.programs.virt-manager.enable;
  };
  printing = {
    inherit (all.services.printing) enable;
    network = all.services.avahi.nssmdns4;
  };
  bluetooth = {
    hardware = all.hardware.bluetooth.enable;
    # Enabled on X servers whose desktop has no Bluetooth settings.
    blueman = all.services.blueman.enable;
  };
  tailscale = lib.elem 41641 all.networking.firewall.allowedUDPPorts;
  jellyfin = lib.elem 8096 all.networking.firewall.allowedTCPPorts;
  postgresql = all.services.postgresql.enable;
  ollama = all.systemd.services ? ollama;

  # A host's own modules: in a folder, and inline. If both set an option, priorities decide, not the order in which
  # they are enabled.
  server = {
    web = server.services.nginx.enable;
    inherit (server.users) motd;
    of-an-overlay = server.environment.etc.trial.source.name;
    firewall = server.networking.firewall.allowedTCPPorts;
  };
}
