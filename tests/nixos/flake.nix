{
  description = "The project's own flake on a nixpkgs that a test names, as hosts that the program can evaluate";

  # `tests/nixos/check` writes a flake.lock that says where this lies; so does `world.py` for ../hosts.
  inputs.nixpkgs.url = "path:/nowhere/nixpkgs";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      pkgs = nixpkgs.legacyPackages.x86_64-linux;

      # The flake as it is, but for the program: a nixpkgs of 24.05 has no Nix that it could be linked to.
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
      given = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (_: {
        default = pkgs.runCommand "runtime-module-stand-in" { } ''mkdir "$out"'';
      });

      # Anything that is a derivation, in the shape of a host: so the program evaluates it. What is to be compared travels
      # as a warning.
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
      # Evaluated one after the other, each error with the name of what it belongs to.
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
      desktopChecks =
        keep:
        lib.filterAttrs (name: _: lib.hasPrefix "desktop-" name && keep name) project.checks.x86_64-linux;
    in
    {
      # The template takes the place of the project from here.
      inherit (project) lib nixosModules;

      # What is turned on where nothing is to be changed.
      runtimeModules.nothing = { };

      nixosConfigurations = lib.mapAttrs' (name: lib.nameValuePair "host-${name}") hosts // {
        hosts = all "hosts" (lib.mapAttrs (_: host: host.config.system.build.toplevel) hosts);
        # Each of the desktop's is a whole system with packages of its own: they are evaluated apart, as they take gigabytes
        # together.
        checks = all "checks" (
          lib.filterAttrs (
            name: _: !lib.hasPrefix "vm-" name && !lib.hasPrefix "desktop-" name && name != "format"
          ) project.checks.x86_64-linux
        );
        checks-desktop-a = all "checks-desktop-a" (desktopChecks (name: name < "desktop-rt.k"));
        checks-desktop-k = all "checks-desktop-k" (desktopChecks (name: name >= "desktop-rt.k"));
        # Of Haskell, which not every copy of nixpkgs has.
        formatter = all "formatter" {
          formatter = project.formatter.x86_64-linux;
          inherit (project.checks.x86_64-linux) format;
        };
        machines = all "machines" (
          lib.filterAttrs (name: _: lib.hasPrefix "vm-" name) project.checks.x86_64-linux
        );
        shells = all "shells" project.devShells.x86_64-linux;
        # Where the project's own nixpkgs is too old to have the program. Only of the option's value is that asked.
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
