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
    packageOf
    platforms
    ;
in
lib.mkMerge [
  (platforms [ "x86_64-linux" ])
  graphics
  graphics32
  {
    environment.systemPackages = [
      (packageOf [
        [
          "wineWowPackages"
          "stable"
        ]
        [
          "wineWow64Packages"
          "stable"
        ]
      ])
      pkgs.winetricks
    ];
  }
]
