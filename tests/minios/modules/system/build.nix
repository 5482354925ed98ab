# What can be built of the system.
{ lib, ... }:
{
  options.system.build = lib.mkOption {
    type = lib.types.lazyAttrsOf lib.types.raw;
    internal = true;
    default = { };
    description = "Derivations that modules offer for others to build or to use.";
  };
}
