{
  description = "minios: a small system shaped like NixOS, for tests and demonstrations";

  # No inputs: nothing here needs a network. It uses `../../nixos/runtime-modules`, so it is used as a folder of the
  # whole, `path:…?dir=tests/minios`, and wants a static busybox beside this file (see pkgs/bootstrap.nix).
  outputs =
    { self, ... }:
    let
      # The one place that says what all of it is built for.
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

      # A node of a test, where nixpkgs has those.
      legacyPackages.${system}.nixosTests.published.nodes.machine =
        self.nixosConfigurations.published.config;

      # Modules that the flake offers to all of its hosts.
      runtimeModules = {
        clock = ./output/clock.nix;
        banner = {
          module = ./output/banner.nix;
          description = "A banner in /etc/issue";
        };
      };
    };
}
