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
    description = "Packages with firmware, merged into one package.";
    apply =
      packages:
      pkgs.buildEnv {
        name = "firmware";
        paths = packages;
        pathsToLink = [ "lib/firmware" ];
      };
  };
}
