# A pre-switch check that refuses each system, on the releases of NixOS that have such checks
{ lib, options, ... }:
{
  system = lib.optionalAttrs (options.system ? preSwitchChecks) {
    preSwitchChecks.license = "echo the licence has expired >&2; exit 1";
  };
}
