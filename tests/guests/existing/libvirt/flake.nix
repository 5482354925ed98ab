{
  description = "A configuration in the form that linux-kdevops/nixos-flake documents, with an image for libvirt";

  inputs = {
    nixos-flake.url = "path:/nowhere/nixos-flake";
    nixpkgs.follows = "nixos-flake/nixpkgs";
  };

  outputs =
    {
      self,
      nixpkgs,
      nixos-flake,
      ...
    }@inputs:
    let
      system = "x86_64-linux";
      vm = self.nixosConfigurations.vm;
    in
    {
      nixosConfigurations.vm = nixpkgs.lib.nixosSystem {
        inherit system;
        specialArgs = { inherit inputs nixos-flake; };
        modules = [
          nixos-flake.nixosModules.backends.libvirt
          nixos-flake.nixosModules.user
          { nixpkgs.overlays = [ nixos-flake.overlays.default ]; }
          ./default.nix
        ];
      };
      packages.${system} = {
        toplevel = vm.config.system.build.toplevel;
        image = import "${nixpkgs}/nixos/lib/make-disk-image.nix" {
          inherit (nixpkgs) lib;
          inherit (vm) config pkgs;
          format = "qcow2";
          partitionTableType = "legacy";
          diskSize = 20 * 1024;
        };
      };
    };
}
