# Image editor
{
  config,
  lib,
  options,
  pkgs,
  ...
}@args:
let
  inherit (import ./tools.nix args "gimp") windows;
in
lib.mkMerge [
  windows
  { environment.systemPackages = [ pkgs.gimp ]; }
]
