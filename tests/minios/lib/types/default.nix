# The types that options may have.
#
# A type says which values it takes (`check`) and how several definitions become one (`merge`). Those that hold other
# types leave the merging of what they hold to `mergeDefinitions`.
{ lib }:
builtins.foldl' (all: part: all // import part { inherit lib; }) { } [
  ./make.nix
  ./any.nix
  ./single.nix
  ./holders.nix
  ./choices.nix
  ./modules.nix
]
