# The library of minios: a module system with the names and meanings that nixpkgs gives them, and the plain functions
# that its modules need. It is a fixture: it holds what the tests use and not more; `../cases` hold it to nixpkgs's own.
#
# Every part is a function of the whole, so they may refer to each other freely; laziness ties the knot.
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
