# The init that runs the units.
{ lib, pkgs, ... }:
{
  options.systemd.package = lib.mkOption {
    type = lib.types.package;
    default = pkgs.systemd;
    defaultText = lib.literalExpression "pkgs.systemd";
    description = "The systemd package. Switching between different values of its `interfaceVersion` needs a reboot.";
  };
}
