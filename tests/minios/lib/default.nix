# The library of minios: a module system with the names and semantics of nixpkgs, and the functions that its modules
# need. It is a fixture with only what the tests use; the cases in ../cases compare it with nixpkgs.
#
# Each file is a function of the whole library. Evaluation is lazy, so the files can refer to each other.
let
  parts = [
    ./lists.nix
    ./attrsets.nix
    ./strings.nix
    ./functions.nix
    ./show.nix
    ./properties.nix
    ./options.nix
    ./definitions.nix
    ./load.nix
    ./declare.nix
    ./evaluate.nix
    ./aliases.nix
  ];

  lib = builtins.foldl' (all: part: all // import part { inherit lib; }) {
    types = import ./types { inherit lib; };
  } parts;
in
lib
