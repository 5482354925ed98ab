{
  description = "A libvirt guest with a disk image";

  inputs = {
    nixpkgs.url = "https://channels.nixos.org/nixos-26.05/nixexprs.tar.xz";
    # A clone of runtime-module, or any other flake reference to it.
    runtime-module.url = "git+file:///etc/nixos/runtime-module";
  };

  outputs =
    {
      self,
      nixpkgs,
      runtime-module,
    }:
    let
      system = "x86_64-linux";
      inherit (self.nixosConfigurations.guest.config.system) build;
    in
    {
      nixosConfigurations.guest = nixpkgs.lib.nixosSystem {
        modules = [
          runtime-module.nixosModules.backends.libvirt
          runtime-module.nixosModules.user
          { nixpkgs.hostPlatform = system; }
          ./guest.nix
        ];
      };

      packages.${system} = {
        # The qcow2 image, and the XML for `virsh define`.
        inherit (build) image;
        domain = build.libvirtDomain;
      };
    };
}
