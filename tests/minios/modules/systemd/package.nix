# The init that the units are for.
{ lib, pkgs, ... }:
{
  options.systemd.package = lib.mkOption {
    type = lib.types.package;
    default = pkgs.systemd;
    defaultText = lib.literalExpression "pkgs.systemd";
    description = "The systemd package. Between systems that differ in its `interfaceVersion` there is a reboot.";
  };
}
