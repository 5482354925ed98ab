# The NixOS modules of this project, as `flake.nix` exports them: with the program that the flake builds from its own
# nixpkgs, whatever nixpkgs the host has.
{ self }:
let
  runtimeModules =
    { lib, pkgs, ... }:
    let
      inherit (pkgs.stdenv.hostPlatform) system;
    in
    {
      # Once, however often and under whichever name it is imported.
      key = "runtime-module#nixosModules.runtimeModules";
      _file = "${self}/nixos/default.nix";
      imports = [ ./runtime-modules ];

      services.runtimeModules.package = lib.mkDefault (
        self.packages.${system}.default or (throw (
          "services.runtimeModules.package has no value: the nixpkgs that runtime-module's flake was given, "
          + "${self.inputs.nixpkgs.lib.trivial.release}, has no program for ${system}. It must carry the libraries of Nix "
          + "2.28 or newer, as 25.11 and later do. Let runtime-module keep its own input nixpkgs (no `follows`): the host's "
          + "own nixpkgs may be as old as 24.05."
        ))
      );
    };
in
{
  default = runtimeModules;
  inherit runtimeModules;
}
