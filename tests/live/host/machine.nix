# A small server in a container.
{
  lib,
  options,
  pkgs,
  self,
  ...
}:
{
  networking.hostName = "machine";
  networking.firewall.enable = true;
  system.stateVersion = "24.05";
  boot.isContainer = true;

  nix = {
    package = pkgs.nix;
    channel.enable = false;
    settings = {
      experimental-features = [
        "nix-command"
        "flakes"
      ];
      substituters = lib.mkForce [ ];
      flake-registry = "";
      sandbox = true;
      # libnix was built on the machine: without seccomp, and with the path of the machine's shell.
      filter-syscalls = false;
      sandbox-paths = [ "/bin/sh=${pkgs.busybox}/bin/busybox" ];
    };
  };

  services.openssh.enable = true;
  services.openssh.startWhenNeeded = false;
  security.sudo.wheelNeedsPassword = false;
  users.users.alice = {
    isNormalUser = true;
    extraGroups = [ "wheel" ];
  };
  # A user who may not use sudo.
  users.users.carol.isNormalUser = true;

  # A service that changes only reload. The module `fails-reloading` makes the reload fail.
  systemd.services.reloaded = {
    wantedBy = [ "multi-user.target" ];
    reloadIfChanged = true;
    serviceConfig.Type = "oneshot";
    serviceConfig.RemainAfterExit = true;
    script = "true";
    reload = ''
      if [ "$BREAK" = yes ]; then
        echo cannot reload >&2
        exit 6
      fi
    '';
  };

  # A value that must not change while the machine runs. The module `inhibited` changes it.
  system.switch = lib.optionalAttrs (options.system.switch ? inhibitors) {
    inhibitors.interface = "1";
  };

  # A specialisation, in which runtime modules can be enabled too.
  specialisation.night.configuration.environment.etc."specialisation".text = "night\n";

  services.runtimeModules = {
    enable = true;
    package = pkgs.runtime-module;
    flake = self;
    restoreAtBoot = true;
    # Tests of failing services set a longer time.
    settle = "500ms";
    modules = lib.mapAttrs (_: module: { inherit module; }) (import ./modules.nix);
  };
}
