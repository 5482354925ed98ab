# The outputs of the project's own flake on a fake nixpkgs that contains only names: which ones exist, for which
# platforms, and under which conditions. `tests/nixos` tests their values.
{ lib }:
let
  derivation = name: {
    type = "derivation";
    inherit name;
    outPath = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-${name}";
    drvPath = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-${name}.drv";
    nodes.machine.testing.configuration = { };
  };

  # Functions of nixpkgs' library that the flake needs and minios' library lacks.
  library = lib // {
    trivial.release = "24.05";
    getBin = package: package;
    getExe = package: "${package}/bin/${package.name}";
    nixosSystem = _: {
      inherit pkgs;
      config = {
        networking.hostName = "host";
        services.runtimeModules.registry = [
          {
            name = "own";
            skipValidation = false;
          }
          {
            name = "rt.builtin";
            skipValidation = false;
          }
        ];
      };
    };
  };
  packages =
    { system, nixVersions }:
    {
      lib = library;
      stdenv.hostPlatform = { inherit system; };
      callPackage = file: arguments: derivation "runtime-module-${arguments.nixComponents.version}";
      runCommand =
        name: _: _:
        derivation name;
      mkShell = _: derivation "shell";
      testers.runNixOSTest = test: derivation test.name;
      nixfmt-rfc-style = derivation "nixfmt";
      inherit nixVersions;
    };
  pkgs = nixpkgs.legacyPackages.x86_64-linux;
  of = nixVersions: {
    lib = library;
    legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (
      system: packages { inherit system nixVersions; }
    );
  };
  components = version: {
    inherit version;
    nix-expr-c = { };
  };
  # Contains some releases of Nix, and throws for removed ones, as nixpkgs does.
  nixpkgs = of {
    nixComponents_2_28 = throw "nixComponents_2_28 has been removed";
    nixComponents_2_30 = components "2.30";
    nixComponents_2_31 = components "2.31";
    nixComponents_git = throw "unreleased";
  };
  old = of { };

  outputs =
    nixpkgs:
    let
      self = (import ../../../flake.nix).outputs { inherit self nixpkgs; } // {
        outPath = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-source";
        inputs = { inherit nixpkgs; };
      };
    in
    self;
  names = lib.mapAttrs (_: lib.attrNames);
  flake = outputs nixpkgs;
in
{
  inputs = lib.attrNames (import ../../../flake.nix).inputs;
  outputs = lib.attrNames (
    removeAttrs flake [
      "inputs"
      "outPath"
    ]
  );
  packages = names flake.packages;
  newest-is-the-default = flake.packages.x86_64-linux.default.name;
  old-nixpkgs-has-no-packages = names (outputs old).packages;
  overlay = (flake.overlays.default pkgs { }).runtime-module.name;
  apps = flake.apps.x86_64-linux.default;
  old-nixpkgs-has-no-apps = names (outputs old).apps;
  modules = lib.attrNames flake.nixosModules;
  hosts = lib.attrNames flake.nixosConfigurations;
  checks = names flake.checks;
  shells = names flake.devShells;
  formatter = lib.mapAttrs (_: package: package.name) flake.formatter;
  templates = lib.mapAttrs (
    _: template: builtins.pathExists (template.path + "/flake.nix")
  ) flake.templates;
  lib = lib.attrNames flake.lib;
  # Whether flake.lock locks the reference in flake.nix, with a hash and a revision.
  lock =
    let
      lock = builtins.fromJSON (builtins.readFile ../../../flake.lock);
      input = lock.nodes.nixpkgs;
    in
    {
      same = input.original.url == (import ../../../flake.nix).inputs.nixpkgs.url;
      pinned = input.locked ? narHash && input.locked ? rev;
      inherit (lock) version;
    };
  package-is-the-flakes-own =
    (lib.evalModules {
      modules = [
        flake.nixosModules.default
        # The same module under its other name is imported only once.
        flake.nixosModules.runtimeModules
        {
          options = lib.genAttrs [ "assertions" "environment" "networking" "system" "systemd" "warnings" ] (
            _: lib.mkOption { type = lib.types.raw; }
          );
          config._module.args = { inherit pkgs; };
        }
      ];
    }).config.services.runtimeModules.package.name;
  package-of-an-old-nixpkgs =
    (lib.evalModules {
      modules = [
        (outputs old).nixosModules.default
        {
          options = lib.genAttrs [ "assertions" "environment" "networking" "system" "systemd" "warnings" ] (
            _: lib.mkOption { type = lib.types.raw; }
          );
          config._module.args.pkgs = old.legacyPackages.x86_64-linux;
        }
      ];
    }).config.services.runtimeModules.package;
}
