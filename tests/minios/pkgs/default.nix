# A package set with the names that minios uses, and with overlays as in nixpkgs.
{
  lib,
  system,
  config ? { },
  overlays ? [ ],
}:
let
  build = import ./build.nix { inherit lib system config; };

  base =
    final:
    build
    // import ./packages.nix final
    // {
      inherit lib system config;
      inherit overlays;
      stdenv.hostPlatform = {
        inherit system;
      };
      # The same set with more overlays, for users of an existing set.
      appendOverlays = more: makeWith (overlays ++ more);
    };

  makeWith = layers: lib.fix (lib.foldl' (set: overlay: lib.extends overlay set) base layers);
in
makeWith overlays
