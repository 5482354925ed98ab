# The stages of nixpkgs for its argument `stdenvStages`: nixpkgs' own ones, and one more whose tools are Debian's. The option
# `nixpkgs.config.replaceStdenv` would do the same, but it cannot be evaluated with NixOS 26.11.
{
  debian,
  nixpkgs,
  versions,
}:
arguments:
let
  makeStdenv = import ./make-stdenv.nix { inherit debian versions; };
in
import (nixpkgs + "/pkgs/stdenv") arguments
++ [
  (pkgs: {
    inherit (arguments) config overlays;
    stdenv = makeStdenv pkgs;
  })
]
