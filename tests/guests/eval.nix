# Evaluates the guest modules on a nixpkgs tree, without a flake lock and without writing to a store.
{ nixpkgs }:
let
  # nixpkgs as a flake, so that our own flake can take it as an input.
  flake = (import (nixpkgs + "/flake.nix")).outputs { self = flake; } // {
    outPath = toString nixpkgs;
    inputs = { };
  };
  inherit (flake) lib;
  project = (import ../../flake.nix).outputs {
    self = project // {
      outPath = toString ../..;
      inputs.nixpkgs = flake;
      # Not every nixpkgs can build the program.
      packages.${system}.default =
        flake.legacyPackages.${system}.runCommand "runtime-module-stand-in" { }
          ''mkdir "$out"'';
    };
    nixpkgs = flake;
  };
  system = "x86_64-linux";
  modules = project.nixosModules;

  # Makes a machine outside a flake. Its stateVersion yields to that of a backend.
  host =
    parts:
    lib.nixosSystem {
      modules = [
        {
          nixpkgs.hostPlatform = system;
          networking.hostName = "machine";
          system.stateVersion = lib.mkOverride 1400 lib.trivial.release;
        }
      ]
      ++ parts;
    };

  # The outputs of a flake in a folder, with our own flake as the input that `input` names.
  flakeIn =
    folder: input:
    let
      outputs = (import (folder + "/flake.nix")).outputs (
        {
          self = outputs // {
            outPath = toString folder;
          };
          nixpkgs = flake;
        }
        // {
          ${input} = project;
        }
        // extraInputs
      );
      extraInputs = builtins.mapAttrs (_: _: { outPath = "/nowhere"; }) (
        removeAttrs (import (folder + "/flake.nix")).inputs [
          "nixpkgs"
          input
        ]
      );
    in
    outputs;
in
{
  inherit
    flake
    flakeIn
    host
    lib
    modules
    project
    system
    ;
}
