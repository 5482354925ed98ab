# Containers with Docker
{
  config,
  lib,
  options,
  pkgs,
  ...
}@args:
let
  inherit (import ./tools.nix args "docker") members;
in
lib.mkMerge [
  (members "docker" "talk to Docker")
  { virtualisation.docker.enable = true; }
]
