# The release that a machine was set up with.
{ config, lib, ... }:
{
  options.system.stateVersion = lib.mkOption {
    type = lib.types.str;
    default = config.system.nixos.release;
    defaultText = lib.literalExpression "config.system.nixos.release";
    description = "The release whose defaults hold for what the machine keeps between rebuilds.";
  };
}
