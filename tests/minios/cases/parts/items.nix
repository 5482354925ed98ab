# The option that the other parts define.
{ lib, ... }:
{
  options.items = lib.mkOption {
    type = lib.types.listOf lib.types.str;
    default = [ ];
  };
}
