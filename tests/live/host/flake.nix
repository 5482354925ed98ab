# The flake of the host, as a user would write it, except that its packages are Debian's files. workshop.py writes the
# lock file and `suite.nix`.
{
  description = "A NixOS host whose packages are Debian's files";

  inputs = {
    nixpkgs.url = "path:/nowhere/nixpkgs";
    runtime-module.url = "path:/nowhere/runtime-module";
    runtime-module.inputs.nixpkgs.follows = "nixpkgs";
    archive.url = "path:/nowhere/archive";
    archive.flake = false;
    built.url = "path:/nowhere/built";
    built.flake = false;
  };

  outputs =
    {
      self,
      nixpkgs,
      runtime-module,
      archive,
      built,
    }:
    let
      inherit (nixpkgs) lib;
      modules = import ./modules.nix;

      machine = lib.nixosSystem {
        specialArgs = { inherit self; };
        modules = [
          runtime-module.nixosModules.default
          (import ./debian {
            inherit archive built nixpkgs;
            suite = import ./suite.nix;
          })
          ./machine.nix
        ];
      };

      # The same configurations without runtime modules: the files are in `imports`, as people write them by hand.
      byHand = lib.mapAttrs' (
        name: imports: lib.nameValuePair "by-hand-${name}" (machine.extendModules { modules = imports; })
      ) (import ./by-hand.nix { inherit lib modules; });
    in
    {
      nixosConfigurations = {
        inherit machine;
      }
      // byHand;
    };
}
