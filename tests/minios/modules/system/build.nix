# Build products of the system.
{ lib, ... }:
{
  options.system.build = lib.mkOption {
    type = lib.types.lazyAttrsOf lib.types.raw;
    internal = true;
    default = { };
    description = "Derivations that other modules or users can build.";
  };
}
