# Small hosts for the flake's checks, each a different kind of machine.
{ self, nixpkgs }:
let
  host =
    file:
    nixpkgs.lib.nixosSystem {
      specialArgs = { inherit self; };
      modules = [
        self.nixosModules.default
        ./common.nix
        file
      ];
    };
in
{
  desktop = host ./desktop.nix;
  server = host ./server.nix;
  live = host ./live.nix;
}
