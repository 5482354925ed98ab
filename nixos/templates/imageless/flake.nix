{
  description = "A guest without an image, for work on kernels";

  inputs = {
    nixpkgs.url = "https://channels.nixos.org/nixos-26.05/nixexprs.tar.xz";
    # A clone of runtime-module, or any other flake reference to it.
    runtime-module.url = "git+file:///etc/nixos/runtime-module";

    # The source of a package to build from a local folder: see guest.nix.
    # fio-source = {
    #   url = "path:/home/alice/src/fio";
    #   flake = false;
    # };
  };

  outputs =
    inputs@{
      self,
      nixpkgs,
      runtime-module,
      ...
    }:
    let
      system = "x86_64-linux";
    in
    {
      nixosConfigurations.guest = nixpkgs.lib.nixosSystem {
        specialArgs = { inherit inputs; };
        modules = [
          runtime-module.nixosModules.backends.imageless
          runtime-module.nixosModules.user
          runtime-module.nixosModules.mounts.shares
          runtime-module.nixosModules.mounts.storage
          { nixpkgs.hostPlatform = system; }
          ./guest.nix
        ];
      };

      # `nix build .#toplevel` builds the system. Its boot.json says how to start it.
      packages.${system}.toplevel = self.nixosConfigurations.guest.config.system.build.toplevel;
    };
}
