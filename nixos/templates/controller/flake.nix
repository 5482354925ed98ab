{
  description = "A machine that builds kernels and drives guests";

  inputs = {
    nixpkgs.url = "https://channels.nixos.org/nixos-26.05/nixexprs.tar.xz";
    # A clone of runtime-module, or any other flake reference to it.
    runtime-module.url = "git+file:///etc/nixos/runtime-module";
  };

  outputs =
    { nixpkgs, runtime-module, ... }:
    {
      nixosConfigurations.controller = nixpkgs.lib.nixosSystem {
        modules = [
          runtime-module.nixosModules.profiles.controller
          ./controller.nix
        ];
      };
    };
}
