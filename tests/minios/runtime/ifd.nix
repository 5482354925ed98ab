# Reads, while it is evaluated, what has to be built first
{ pkgs, ... }:
let
  generated = pkgs.writeText "generated.nix" ''"from a built file"'';
in
{
  environment.etc.ifd.text = import generated + "\n";
}
