# Firmware for devices.
{
  lib,
  pkgs,
  ...
}:
{
  options.hardware.firmware = lib.mkOption {
    type = lib.types.listOf lib.types.package;
    default = [ pkgs.firmware ];
    defaultText = lib.literalExpression "[ pkgs.firmware ]";
    description = "Packages that bring firmware; a value of one package with all of it.";
    apply =
      packages:
      pkgs.buildEnv {
        name = "firmware";
        paths = packages;
        pathsToLink = [ "lib/firmware" ];
      };
  };
}
