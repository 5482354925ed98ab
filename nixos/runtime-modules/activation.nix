# What of the program is part of the system: the program itself, with its completions and manual pages, the service that
# runs once a boot, and the hook by which it learns of switches that are not its own.
{
  config,
  lib,
  options,
  ...
}:
let
  cfg = config.services.runtimeModules;
  program = "${cfg.package}/bin/runtime-module";
in
{
  config = lib.mkIf (cfg.enable && cfg.package != null) {
    environment = {
      systemPackages = [ cfg.package ];
    }
    # Where nushell finds completions; for other shells NixOS links what is needed.
    // lib.optionalAttrs (options.environment ? pathsToLink) { pathsToLink = [ "/share/nushell" ]; };

    systemd = {
      services.runtime-modules-boot = {
        description =
          if cfg.restoreAtBoot then
            "Turns on the runtime modules that were on before the boot"
          else
            "Cleans up after the runtime modules of the last boot";
        wantedBy = [ "multi-user.target" ];
        wants = lib.optional cfg.restoreAtBoot "network-online.target";
        after = [
          "local-fs.target"
          "nix-daemon.socket"
        ]
        ++ lib.optional cfg.restoreAtBoot "network-online.target";
        environment = {
          HOME = "/root";
          XDG_CACHE_HOME = "/var/cache";
        };
        # Turning modules on runs a switch, and the switch waits for multi-user.target: it must not wait for this service in
        # turn. So it counts as started as soon as it runs; and a switch lets it run, and does not run it again.
        serviceConfig = {
          Type = "exec";
          RemainAfterExit = true;
          ExecStart = "${program} __boot";
        };
        restartIfChanged = false;
        stopIfChanged = false;
      };

      # What of the modules can be done before they are turned on. It stands back for everything else, and what fails is
      # tried again on the next day.
      services.runtime-modules-prefetch = lib.mkIf (cfg.prefetch != [ ]) {
        description = "Evaluates and builds runtime modules ahead";
        wants = [ "network-online.target" ];
        after = [
          "network-online.target"
          "nix-daemon.socket"
          "runtime-modules-boot.service"
        ];
        # The cache of root's own shell.
        environment.HOME = "/root";
        serviceConfig = {
          Type = "oneshot";
          ExecStart = "${program} prefetch --low-memory ${lib.escapeShellArgs cfg.prefetch}";
          Nice = 19;
          CPUSchedulingPolicy = "idle";
          IOSchedulingClass = "idle";
        };
        # A switch neither waits for it nor ends it: it may be what the switch is about.
        restartIfChanged = false;
        stopIfChanged = false;
      };
    }
    # A system without timers is no place to do anything ahead.
    // lib.optionalAttrs (options.systemd ? timers) {
      timers.runtime-modules-prefetch = lib.mkIf (cfg.prefetch != [ ]) {
        description = "Evaluates and builds runtime modules ahead, after boot and every day";
        wantedBy = [ "timers.target" ];
        timerConfig = {
          OnBootSec = "5min";
          OnUnitActiveSec = "1d";
          RandomizedDelaySec = "5min";
        };
      };
    };

    # Every switch runs this, the program's own ones too: it knows those. Nothing was ever turned on where there is no
    # state; and a system must come up even if this fails.
    system.activationScripts.runtimeModules = {
      deps = [ "etc" ];
      text = ''
        if [ -e "''${RUNTIME_MODULE_ROOT-}/run/runtime-modules/state.json" ]; then
          ${program} __switched "$systemConfig" || true
        fi
      '';
    };
  };
}
