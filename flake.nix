{
  description = "Enable and disable NixOS modules on a running machine";

  # The nixpkgs that the program is built with. The nixpkgs of a host may be older or newer.
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

      # The Nix releases that this nixpkgs has as components and that nix-ffi supports. Attributes of releases that
      # nixpkgs has dropped throw.
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
            "runtime-module needs the libraries of Nix 2.28 or newer, but this nixpkgs, "
            + "${pkgs.lib.trivial.release}, does not have them. Use nixpkgs 25.11 or later."
          )
        else
          build pkgs (lib.last (releases pkgs));

      # Before 25.11, `nixfmt` was a different formatter.
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
            meta.description = "Enable and disable NixOS modules on a running machine";
          };
          runtime-guest = {
            type = "app";
            program = lib.getExe' packages.default "runtime-guest";
            meta.description = "Start, reach and stop virtual machines whose store is the host's";
          };
        }
      ) self.packages;

      nixosModules = import ./nixos { inherit self; };

      # The hosts of the checks, which are also examples.
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
          // import ./nixos/guest-checks.nix { inherit self nixpkgs; }
        )
      );

      templates = rec {
        default = runtime;
        runtime = {
          path = ./nixos/templates/runtime;
          description = "A NixOS host with runtime modules";
        };
        imageless = {
          path = ./nixos/templates/imageless;
          description = "A guest without an image, for work on kernels";
        };
        libvirt = {
          path = ./nixos/templates/libvirt;
          description = "A libvirt guest with a disk image";
        };
        controller = {
          path = ./nixos/templates/controller;
          description = "A machine that builds kernels and drives guests";
        };
      };

      lib = import ./nixos/lib.nix { inherit lib; };

      # Formats all Nix files in the style of nixpkgs, except the fixture that is deliberately invalid.
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

      # `default` has everything that `make` needs on NixOS. The others are for building kernels and QEMU, and for
      # controlling other machines.
      devShells = perSystem (
        pkgs:
        (import ./nixos/toolchain.nix { inherit pkgs; }).shells
        // {
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
            # tests/minios builds with a static busybox, which Debian installs in /bin.
            shellHook = ''
              if [ -d tests/minios ] && [ ! -e tests/minios/busybox ]; then
                install -m 755 ${pkgs.pkgsStatic.busybox}/bin/busybox tests/minios/busybox
              fi
            '';
            env.BINDGEN_EXTRA_CLANG_ARGS = "-std=c2x";
          };
        }
      );
    };
}
