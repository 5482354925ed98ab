{
  description = "Turns parts of a NixOS configuration on and off on a running machine";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    {
      self,
      nixpkgs,
    }:
    let
      inherit (nixpkgs) lib;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      perSystem = make: lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});

      # The Nix releases that this nixpkgs carries as components and that nix-ffi is written for.
      releases =
        pkgs:
        lib.filter (release: pkgs.nixVersions ? "nixComponents_2_${toString release}") (lib.range 28 35);
      componentsOf = pkgs: release: pkgs.nixVersions."nixComponents_2_${toString release}";
      build =
        pkgs: release: pkgs.callPackage ./package.nix { nixComponents = componentsOf pkgs release; };
    in
    {
      packages = perSystem (
        pkgs:
        let
          all = lib.listToAttrs (
            map (release: {
              name = "runtime-module-nix_2_${toString release}";
              value = build pkgs release;
            }) (releases pkgs)
          );
        in
        lib.optionalAttrs (all != { }) {
          default = build pkgs (lib.last (releases pkgs));
          runtime-module = build pkgs (lib.last (releases pkgs));
        }
        // all
      );

      overlays.default = final: _: {
        runtime-module = build final (lib.last (releases final));
      };

      nixosModules = import ./nixos;

      devShells = perSystem (pkgs: {
        default = pkgs.mkShell {
          inputsFrom = lib.optional (releases pkgs != [ ]) (build pkgs (lib.last (releases pkgs)));
          packages = with pkgs; [
            cargo
            clippy
            rustfmt
            git
            gnumake
            jq
            python3
            strace
            tmux
            valgrind
          ];
          env.BINDGEN_EXTRA_CLANG_ARGS = "-std=c2x";
        };
      });
    };
}
