# Windows programs with Wine
{
  config,
  lib,
  options,
  pkgs,
  ...
}@args:
let
  inherit (import ./tools.nix args "wine")
    graphics
    graphics32
    onPlatforms
    ;

  # This variant runs 32-bit and 64-bit programs, and is in cache.nixos.org.
  wine =
    (
      if lib.versionAtLeast lib.trivial.release "25.11" then
        pkgs.wineWow64Packages
      else
        pkgs.wineWowPackages
    ).stable;
in
onPlatforms
  [ "x86_64-linux" ]
  [
    graphics
    graphics32
    {
      environment.systemPackages = [
        wine
        pkgs.winetricks
      ];
    }
  ]
