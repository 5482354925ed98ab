# Imports from a derivation during evaluation
{ pkgs, ... }:
let
  generated = pkgs.writeText "generated.nix" ''"from a built file"'';
in
{
  environment.etc.ifd.text = import generated + "\n";
}
