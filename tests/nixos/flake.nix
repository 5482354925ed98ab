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
      builtin = lib.filter (lib.hasPrefix "rt.") (
        map (entry: entry.name) hosts.desktop.config.services.runtimeModules.registry
      );
      # All with the packages of the host itself, which saves most of the work: no built-in module changes what packages
      # are made of, and `shared` shows that the system is the same.
      toplevel =
        names:
        ((project.lib.withModules hosts.desktop names).extendModules {
          modules = [ { _module.args.pkgs = lib.mkForce hosts.desktop.pkgs; } ];
        }).config.system.build.toplevel;
      shared =
        let
          names = lib.remove "rt.docker" builtin;
          alone = (project.lib.withModules hosts.desktop names).config.system.build.toplevel;
        in
        asHost (
          if (toplevel names).drvPath == alone.drvPath then
            alone
          else
            throw "with the host's packages the system with all built-in modules is another one"
        ) [ ];

      # All pairs but those that exclude each other, in as many parts as `parts` says.
      excluded = [
        "rt.docker"
        "rt.podman"
      ];
      pairs = lib.filter (pair: pair != excluded) (
        lib.concatLists (
          lib.imap1 (
            at: first:
            map (second: [
              first
              second
            ]) (lib.drop at builtin)
          ) builtin
        )
      );
      parts = 10;
      partOf = part: lib.filter (at: lib.mod at parts == part) (lib.range 0 (lib.length pairs - 1));
      pairsOf =
        part:
        lib.listToAttrs (
          map (
            at:
            let
              pair = lib.elemAt pairs at;
            in
            lib.nameValuePair (lib.concatStringsSep "+" pair) (toplevel pair)
          ) (partOf part)
        );
    in
    {
      # The template takes the place of the project from here.
      inherit (project) lib nixosModules;

      # What is turned on where nothing is to be changed.
      runtimeModules.nothing = { };

      nixosConfigurations =
        lib.mapAttrs' (name: lib.nameValuePair "host-${name}") hosts
        // {
          hosts = all "hosts" (lib.mapAttrs (_: host: host.config.system.build.toplevel) hosts);
          checks = all "checks" (
            lib.filterAttrs (name: _: !lib.hasPrefix "vm-" name && name != "format") project.checks.x86_64-linux
          );
          # Of Haskell, which not every copy of nixpkgs has.
          formatter = all "formatter" {
            formatter = project.formatter.x86_64-linux;
            inherit (project.checks.x86_64-linux) format;
          };
          machines = all "machines" (
            lib.filterAttrs (name: _: lib.hasPrefix "vm-" name) project.checks.x86_64-linux
          );
          inherit shared;
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
        }
        // lib.listToAttrs (
          map (part: lib.nameValuePair "pairs-${toString part}" (all "pairs" (pairsOf part))) (
            lib.range 0 (parts - 1)
          )
        );
    };
}
