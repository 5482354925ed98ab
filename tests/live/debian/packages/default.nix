# The overlay: packages of nixpkgs as links to Debian's files. All other packages remain nixpkgs' own, and would be built
# from sources that have to be downloaded; `tests/live/check --missing` lists them.
{
  debian,
  built,
  versions,
}:
final: prev:
let
  build = import ./build.nix { inherit debian final prev; };
  parts =
    map
      (
        file:
        import file {
          inherit
            debian
            build
            built
            final
            prev
            versions
            ;
        }
      )
      [
        ./programs.nix
        ./base.nix
        ./systemd.nix
        ./services.nix
        ./languages.nix
        ./data.nix
        ./nix.nix
        ./libraries.nix
        ./stubs.nix
      ];
in
# nixpkgs also applies overlays to the stages of its own stdenv. These are evaluated, although they are never built.
prev.lib.optionalAttrs (prev.stdenv.name == "stdenv-debian") (prev.lib.mergeAttrsList parts)
