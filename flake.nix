{
  description = "Turns parts of a NixOS configuration on and off on a running machine";

  # The program's own nixpkgs: the host's may be older or newer.
  inputs.nixpkgs.url = "https://channels.nixos.org/nixos-26.05/nixexprs.tar.xz";

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

      # The Nix releases that this nixpkgs carries as components and that nix-ffi is written for. Those that it had once
      # are there as attributes that throw.
      releases =
        pkgs:
        lib.filter (
          release:
          let
            name = componentsName release;
          in
          pkgs.nixVersions ? ${name} && (builtins.tryEval (pkgs.nixVersions.${name} ? nix-expr-c)).value
        ) (lib.range 28 35);
      componentsName = release: "nixComponents_2_${toString release}";
      build =
        pkgs: release:
        pkgs.callPackage ./package.nix { nixComponents = pkgs.nixVersions.${componentsName release}; };
      newest =
        pkgs:
        if releases pkgs == [ ] then
          throw (
            "runtime-module is linked to the libraries of Nix 2.28 or newer, and this nixpkgs, "
            + "${pkgs.lib.trivial.release}, has none of them. 25.11 and later do."
          )
        else
          build pkgs (lib.last (releases pkgs));

      # Until 25.11 the name was another formatter's.
      nixfmt =
        pkgs:
        if builtins.compareVersions lib.trivial.release "25.11" < 0 then
          pkgs.nixfmt-rfc-style
        else
          pkgs.nixfmt;

      tests = import ./nixos/tests {
        inherit self;
        pkgs = nixpkgs.legacyPackages.x86_64-linux;
      };
    in
    {
      packages = perSystem (
        pkgs:
        let
          all = lib.listToAttrs (
            map (release: lib.nameValuePair "runtime-module-nix_2_${toString release}" (build pkgs release)) (
              releases pkgs
            )
          );
        in
        lib.optionalAttrs (all != { }) {
          default = newest pkgs;
          runtime-module = newest pkgs;
        }
        // all
      );

      overlays.default = final: _: {
        runtime-module = newest final;
      };

      apps = lib.mapAttrs (
        _: packages:
        lib.optionalAttrs (packages ? default) {
          default = {
            type = "app";
            program = lib.getExe packages.default;
            meta.description = "Turns parts of a NixOS configuration on and off";
          };
        }
      ) self.packages;

      nixosModules = import ./nixos { inherit self; };

      # For the checks, and as examples.
      nixosConfigurations = import ./nixos/hosts { inherit self nixpkgs; } // {
        vm = tests.machine;
      };

      checks = perSystem (
        pkgs:
        import ./nixos/checks.nix {
          inherit self pkgs;
          nixfmt = nixfmt pkgs;
        }
        // lib.optionalAttrs (pkgs.stdenv.hostPlatform.system == "x86_64-linux") (
          self.lib.checks {
            host = self.nixosConfigurations.desktop;
            builtin = true;
          }
          // self.lib.checks {
            host = self.nixosConfigurations.server;
            together = true;
          }
          // tests.checks
        )
      );

      templates = rec {
        default = runtime;
        runtime = {
          path = ./nixos/templates/runtime;
          description = "A NixOS host with runtime modules";
        };
      };

      lib = import ./nixos/lib.nix { inherit lib; };

      # NixOS's own style, for all files but the fixtures that are there to be no Nix.
      formatter = perSystem (
        pkgs:
        if pkgs ? nixfmt-tree then
          pkgs.nixfmt-tree.override {
            nixfmtPackage = nixfmt pkgs;
            settings.formatter.nixfmt.excludes = [ "**/syntax-error.nix" ];
          }
        else
          nixfmt pkgs
      );

      # Everything that `make` needs, and on NixOS nothing else does.
      devShells = perSystem (pkgs: {
        default = pkgs.mkShell {
          inputsFrom = lib.optional (releases pkgs != [ ]) (newest pkgs);
          packages = with pkgs; [
            cargo
            clippy
            fish
            git
            gnumake
            jq
            nix
            pkg-config
            python3
            rustc
            rustfmt
            rustPlatform.bindgenHook
            strace
            tmux
            valgrind
            zsh
          ];
          # What tests/minios is built with, as Debian has it in /bin.
          shellHook = ''
            if [ -d tests/minios ] && [ ! -e tests/minios/busybox ]; then
              install -m 755 ${pkgs.pkgsStatic.busybox}/bin/busybox tests/minios/busybox
            fi
          '';
          env.BINDGEN_EXTRA_CLANG_ARGS = "-std=c2x";
        };
      });
    };
}
