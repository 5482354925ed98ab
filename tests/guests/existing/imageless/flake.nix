{
  description = "A configuration in the form that linux-kdevops/nixos-flake documents, without an image";

  inputs = {
    nixos-flake.url = "path:/nowhere/nixos-flake";
    nixpkgs.follows = "nixos-flake/nixpkgs";
    tool-src = {
      type = "path";
      path = "/nowhere/tool";
      flake = false;
    };
  };

  outputs =
    {
      self,
      nixpkgs,
      nixos-flake,
      ...
    }@inputs:
    {
      nixosConfigurations.vm = nixpkgs.lib.nixosSystem {
        system = "x86_64-linux";
        specialArgs = { inherit inputs nixos-flake; };
        modules = [
          nixos-flake.nixosModules.backends.imageless
          nixos-flake.nixosModules.user
          { nixpkgs.overlays = [ nixos-flake.overlays.default ]; }
          ./default.nix
        ];
      };
      packages.x86_64-linux.toplevel = self.nixosConfigurations.vm.config.system.build.toplevel;
    };
}
