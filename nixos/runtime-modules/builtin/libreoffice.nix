# Office suite
{
  config,
  lib,
  options,
  pkgs,
  ...
}@args:
let
  inherit (import ./tools.nix args "libreoffice") windows;
in
lib.mkMerge [
  windows
  { environment.systemPackages = [ pkgs.libreoffice ]; }
]
