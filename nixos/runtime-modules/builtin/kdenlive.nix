# Video editor
{
  config,
  lib,
  options,
  pkgs,
  ...
}@args:
let
  inherit (import ./tools.nix args "kdenlive") packageOf windows;
in
lib.mkMerge [
  windows
  {
    environment.systemPackages = [
      (packageOf [
        [
          "kdePackages"
          "kdenlive"
        ]
        [
          "libsForQt5"
          "kdenlive"
        ]
      ])
    ];
  }
]
