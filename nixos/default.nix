# The NixOS modules that `flake.nix` exports, with the program built from the flake's own nixpkgs instead of the host's.
{ self }:
let
  runtimeModules =
    { lib, pkgs, ... }:
    let
      inherit (pkgs.stdenv.hostPlatform) system;
    in
    {
      # The key removes duplicates if the module is imported several times, under any name.
      key = "runtime-module#nixosModules.runtimeModules";
      _file = "${self}/nixos/default.nix";
      imports = [ ./runtime-modules ];

      services.runtimeModules.package = lib.mkDefault (
        self.packages.${system}.default or (throw (
          "services.runtimeModules.package has no value: runtime-module's own input nixpkgs, "
          + "${self.inputs.nixpkgs.lib.trivial.release}, cannot build the program for ${system}. It needs the "
          + "libraries of Nix 2.28 or newer, which nixpkgs 25.11 and later have. Remove `follows` from the input "
          + "runtime-module: the host's own nixpkgs can be as old as 24.05."
        ))
      );
    };
in
{
  default = runtimeModules;
  inherit runtimeModules;
}
