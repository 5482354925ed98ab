# Hosts that checks are made of: small, and each another kind of machine.
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
