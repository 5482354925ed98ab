# A changed switch inhibitor, on the releases of NixOS that have inhibitors
{ lib, options, ... }:
{
  system.switch = lib.optionalAttrs (options.system.switch ? inhibitors) {
    inhibitors.interface = lib.mkForce "2";
  };
}
