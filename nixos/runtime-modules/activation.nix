# Installs the program with its completions and manual pages, the service that runs once after each boot, the timer that
# prefetches modules, and the hook that reports every switch to the program.
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
    # The folder of nushell's completions; NixOS links those of other shells itself.
    // lib.optionalAttrs (options.environment ? pathsToLink) { pathsToLink = [ "/share/nushell" ]; };

    systemd = {
      services.runtime-modules-boot = {
        description =
          if cfg.restoreAtBoot then
            "Restore the runtime modules of the last boot"
          else
            "Clean up after the runtime modules of the last boot";
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
        # The service runs a switch, the switch waits for multi-user.target, and that target waits for the service.
        # `Type = exec` avoids the deadlock: the service counts as started once it runs. A switch that changes the unit
        # must neither stop it nor run it again.
        serviceConfig = {
          Type = "exec";
          RemainAfterExit = true;
          ExecStart = "${program} __boot";
        };
        restartIfChanged = false;
        stopIfChanged = false;
      };

      # Prefetching runs at the lowest priority. A failure is retried the next day.
      services.runtime-modules-prefetch = lib.mkIf (cfg.prefetch != [ ]) {
        description = "Evaluate and build runtime modules in advance";
        wants = [ "network-online.target" ];
        after = [
          "network-online.target"
          "nix-daemon.socket"
          "runtime-modules-boot.service"
        ];
        # Use the same cache as root's shell.
        environment.HOME = "/root";
        serviceConfig = {
          Type = "oneshot";
          ExecStart = "${program} prefetch --low-memory ${lib.escapeShellArgs cfg.prefetch}";
          Nice = 19;
          CPUSchedulingPolicy = "idle";
          IOSchedulingClass = "idle";
        };
        # A switch neither waits for the service nor stops it, even if the switch changes it.
        restartIfChanged = false;
        stopIfChanged = false;
      };
    }
    # Systems without timers, such as test fixtures, do not prefetch.
    // lib.optionalAttrs (options.systemd ? timers) {
      timers.runtime-modules-prefetch = lib.mkIf (cfg.prefetch != [ ]) {
        description = "Evaluate and build runtime modules in advance, after boot and every day";
        wantedBy = [ "timers.target" ];
        timerConfig = {
          OnBootSec = "5min";
          OnUnitActiveSec = "1d";
          RandomizedDelaySec = "5min";
        };
      };
    };

    # Tells the program about external switches. Every switch runs this hook, and the program ignores its own switches.
    # Without a state file, no change can be pending. A failure must not prevent the system from booting.
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
