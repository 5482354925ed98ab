# The types of options.
#
# A type defines which values it accepts (`check`) and how several definitions are merged (`merge`). Container types
# merge their elements with `mergeDefinitions`.
{ lib }:
builtins.foldl' (all: part: all // import part { inherit lib; }) { } [
  ./make.nix
  ./any.nix
  ./single.nix
  ./holders.nix
  ./choices.nix
  ./modules.nix
]
