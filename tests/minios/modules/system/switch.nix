# Options that can prevent a switch to this system.
{
  config,
  lib,
  pkgs,
  ...
}:
{
  options.system = {
    switch.enable = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = "Whether the system contains the switch program.";
    };
    switch.inhibitors = lib.mkOption {
      type = lib.types.attrsOf lib.types.str;
      default = { };
      example = {
        dbus-implementation = "broker";
      };
      description = "Values that must not change while the system is running: a system with another value needs a reboot.";
    };
    preSwitchChecks = lib.mkOption {
      type = lib.types.attrsOf lib.types.str;
      default = { };
      description = "Shell scripts that run before a switch and can refuse it.";
    };
  };

  config.system.build.preSwitchChecks = pkgs.writeShellScript "pre-switch-checks" (
    lib.concatStrings (
      lib.mapAttrsToList (name: script: ''
        (
        ${script}
        ) || { echo "pre-switch check ${name} failed" >&2; exit 1; }
      '') config.system.preSwitchChecks
    )
  );
}
