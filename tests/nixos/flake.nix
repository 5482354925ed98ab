{
  description = "The project's own flake on a given nixpkgs, as hosts that the program can evaluate";

  # `tests/nixos/check` writes a flake.lock that locates this input, as `world.py` does for ../hosts.
  inputs.nixpkgs.url = "https://nowhere.invalid/nixpkgs.tar.gz";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      pkgs = nixpkgs.legacyPackages.x86_64-linux;

      # The flake without the program: nixpkgs 24.05 has no Nix that the program can be linked to.
      project = (import ../../flake.nix).outputs {
        self = project // {
          inherit (self) sourceInfo narHash;
          outPath = "${self.sourceInfo}";
          inputs = { inherit nixpkgs; };
          packages = given;
          runtimeModules = { };
        };
        inherit nixpkgs;
      };
      # The flake with the program, for its apps.
      whole = (import ../../flake.nix).outputs {
        self = whole;
        inherit nixpkgs;
      };
      given = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (_: {
        default = pkgs.runCommand "runtime-module-stand-in" { } ''mkdir "$out"'';
      });

      # Wraps a derivation in the form of a host, so that the program evaluates it. Values to compare are passed as
      # warnings.
      asHost = derivation: warnings: rec {
        config = {
          inherit warnings;
          assertions = [ ];
          networking.hostName = "none";
          system.build.toplevel = derivation;
        };
        options = { };
        extendModules = _: {
          inherit config options extendModules;
        };
      };
      # Evaluates derivations one after the other, and adds their names to errors.
      all =
        name: derivations:
        let
          paths = lib.mapAttrsToList (
            entry: value:
            builtins.addErrorContext "while evaluating ${entry}" "${entry} ${builtins.unsafeDiscardStringContext value.drvPath}"
          ) derivations;
        in
        asHost (pkgs.writeText name (lib.concatLines paths)) [ ];

      hosts = project.nixosConfigurations;
      # ../guests evaluates these checks.
      guestChecks = import ../../nixos/guest-checks.nix {
        self = project;
        inherit nixpkgs;
      };
      desktopChecks =
        keep:
        lib.filterAttrs (name: _: lib.hasPrefix "desktop-" name && keep name) project.checks.x86_64-linux;
    in
    {
      # The template uses this flake in place of the project, so the flake needs these outputs.
      inherit (project) lib nixosModules;

      # An empty module to enable.
      runtimeModules.nothing = { };

      nixosConfigurations = lib.mapAttrs' (name: lib.nameValuePair "host-${name}") hosts // {
        hosts = all "hosts" (lib.mapAttrs (_: host: host.config.system.build.toplevel) hosts);
        # The checks of the desktop are whole systems with their own packages. Together they need gigabytes of memory,
        # so they are evaluated separately.
        checks = all "checks" (
          lib.filterAttrs (
            name: _:
            !lib.hasPrefix "vm-" name
            && !lib.hasPrefix "desktop-" name
            && name != "format"
            && !guestChecks ? ${name}
          ) project.checks.x86_64-linux
        );
        checks-desktop-a = all "checks-desktop-a" (desktopChecks (name: name < "desktop-rt.k"));
        checks-desktop-k = all "checks-desktop-k" (desktopChecks (name: name >= "desktop-rt.k"));
        # The formatter is written in Haskell, and not every copy of nixpkgs has the Haskell packages.
        formatter = all "formatter" {
          formatter = project.formatter.x86_64-linux;
          inherit (project.checks.x86_64-linux) format;
        };
        machines = all "machines" (
          lib.filterAttrs (name: _: lib.hasPrefix "vm-" name) project.checks.x86_64-linux
        );
        shells = all "shells" project.devShells.x86_64-linux;
        # The program needs nixpkgs 25.11 or later. In earlier releases, the overlay throws a message, and the app does not
        # exist. Entries are evaluated in the order of their names, so the message comes first.
        packages = all "packages" (
          whole.packages.x86_64-linux
          // {
            overlay = (pkgs.extend whole.overlays.default).runtime-module;
            path-of-the-app = pkgs.writeText "app" whole.apps.x86_64-linux.default.program;
          }
        );
        # Simulates a flake whose own nixpkgs is too old for the program. Only the option's value is evaluated.
        no-program = asHost ((nixpkgs.lib.nixosSystem {
          modules = [
            (import ../../nixos {
              self = {
                outPath = "${self.sourceInfo}";
                packages.x86_64-linux = { };
                inputs = { inherit nixpkgs; };
              };
            }).default
            { nixpkgs.hostPlatform = "x86_64-linux"; }
          ];
        }).config.services.runtimeModules.package
        ) [ ];
        values = asHost (pkgs.writeText "values" "") [
          (builtins.toJSON (import ./values.nix { inherit lib nixpkgs project; }))
        ];
        messages = asHost (pkgs.writeText "messages" "") [
          (builtins.toJSON (import ./messages.nix { inherit lib nixpkgs project; }))
        ];
      };
    };
}
