# The release that the machine was installed with.
{ config, lib, ... }:
{
  options.system.stateVersion = lib.mkOption {
    type = lib.types.str;
    default = config.system.nixos.release;
    defaultText = lib.literalExpression "config.system.nixos.release";
    description = "The release whose defaults apply to stateful data.";
  };
}
