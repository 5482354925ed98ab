{
  description = "minios: a small system shaped like NixOS, for tests and demonstrations";

  # The flake has no inputs, so it needs no network. It uses `../../nixos/runtime-modules`, so it must be referenced as
  # a folder of the repository, `path:…?dir=tests/minios`. It needs a static busybox next to this file (see
  # pkgs/bootstrap.nix).
  outputs =
    { self, ... }:
    let
      # The platform of all hosts.
      system = "x86_64-linux";
      lib = import ./lib;

      host =
        file:
        import ./eval-config.nix {
          inherit system;
          specialArgs = { inherit self; };
          modules = [ file ];
        };
    in
    {
      inherit lib;

      nixosConfigurations = lib.mapAttrs (_: host) {
        box = ./hosts/box.nix;
        box-list = ./hosts/box-list.nix;
        bare = ./hosts/bare.nix;
        demo = ./hosts/demo.nix;
        other-kernel = ./hosts/other-kernel.nix;
        published = ./hosts/published.nix;
        spec = ./hosts/spec.nix;
        wide = ./hosts/wide.nix;
      };

      # A node of a test, at the same attribute path as in nixpkgs.
      legacyPackages.${system}.nixosTests.published.nodes.machine =
        self.nixosConfigurations.published.config;

      # Modules that the flake offers to all hosts.
      runtimeModules = {
        clock = ./output/clock.nix;
        banner = {
          module = ./output/banner.nix;
          description = "A banner in /etc/issue";
        };
      };
    };
}
