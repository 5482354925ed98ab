{
  description = "A NixOS host with runtime modules";

  inputs = {
    nixpkgs.url = "https://channels.nixos.org/nixos-26.05/nixexprs.tar.xz";
    # Where runtime-module lies: a clone of it, or any other place that Nix accepts. It keeps a nixpkgs of its own, with
    # the Nix libraries that it is linked to, so there is no `follows` here.
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

      # `nix flake check` evaluates the machine with each of its own modules.
      checks.x86_64-linux = runtime-module.lib.checks { host = self.nixosConfigurations.machine; };
    };
}
