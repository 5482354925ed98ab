{
  description = "A NixOS host with runtime modules";

  inputs = {
    nixpkgs.url = "https://channels.nixos.org/nixos-26.05/nixexprs.tar.xz";
    # A clone of runtime-module, or any other flake reference to it. It needs its own nixpkgs, which has the Nix
    # libraries that it is linked to, so do not add `follows`.
    runtime-module.url = "git+file:///etc/nixos/runtime-module";
  };

  outputs =
    {
      self,
      nixpkgs,
      runtime-module,
    }:
    {
      nixosConfigurations.machine = nixpkgs.lib.nixosSystem {
        specialArgs = { inherit self; };
        modules = [
          runtime-module.nixosModules.default
          ./configuration.nix
        ];
      };

      # `nix flake check` evaluates the machine with each of its runtime modules.
      checks.x86_64-linux = runtime-module.lib.checks { host = self.nixosConfigurations.machine; };
    };
}
