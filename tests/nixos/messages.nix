# Messages of the NixOS module and the built-in modules, by name, compared with messages.json.
{
  lib,
  nixpkgs,
  project,
}:
let
  base = {
    imports = [ project.nixosModules.default ];
    system.stateVersion = "24.05";
    networking.hostName = "machine";
    boot.loader.systemd-boot.enable = true;
    fileSystems."/" = {
      device = "/dev/disk/by-label/root";
      fsType = "ext4";
    };
    services.runtimeModules.enable = true;
    services.runtimeModules.flake = lib.mkDefault flake;
  };
  # A fake flake with only the attributes that the module reads.
  flake = rec {
    outPath = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-source";
    sourceInfo = { inherit outPath; };
    inputs = { };
    nixosConfigurations.machine = { };
  };

  on-platform =
    platform: modules:
    nixpkgs.lib.nixosSystem {
      modules = [
        base
        { nixpkgs.hostPlatform = platform; }
      ]
      ++ modules;
    };
  host = on-platform "x86_64-linux";

  # The definitions of an option in our own files. Evaluating all assertions would evaluate most of a system.
  ours =
    option:
    lib.concatMap (definition: definition.value) (
      lib.filter (
        definition: lib.hasInfix "/nixos/runtime-modules" definition.file
      ) option.definitionsWithLocations
    );
  said = configuration: {
    assertions = map (one: one.message) (
      lib.filter (one: !one.assertion) (ours configuration.options.assertions)
    );
    warnings = ours configuration.options.warnings;
  };
  of = settings: said (host [ { services.runtimeModules = settings; } ]);
  files = map (name: ../../nixos/runtime-modules/builtin + "/${name}.nix");
  on = names: modules: said (host (modules ++ files names));
in
{
  nothing-wrong = of { };

  prefetch-unknown = of {
    modules.web.module = { };
    prefetch = [
      "web"
      "wbe"
    ];
  };

  flake-unset = of {
    flake = null;
    flakeUrl = "git+file:///etc/nixos";
  };
  flake-and-url-unset = of {
    flake = null;
    flakeUrl = null;
  };
  flake-is-a-reference = of { flake = "github:someone/machines"; };
  url-is-relative = of { flakeUrl = "."; };
  host-is-not-in-the-flake = of { host = "laptop"; };
  nixpkgs-too-old = said (
    nixpkgs.lib.nixosSystem {
      lib = nixpkgs.lib.extend (
        _: previous: {
          trivial = previous.trivial // {
            release = "23.11";
          };
        }
      );
      modules = [
        base
        { nixpkgs.hostPlatform = "x86_64-linux"; }
      ];
    }
  );

  docker-and-podman =
    on
      [
        "docker"
        "podman"
      ]
      [ ];
  podman-on-a-host-with-docker = on [ "podman" ] [ { virtualisation.docker.enable = true; } ];
  steam-is-not-free = on [ "steam" ] [ ];
  steam-half-allowed =
    on
      [ "gaming" ]
      [
        {
          nixpkgs.config.allowUnfreePredicate = package: lib.getName package == "steam";
        }
      ];
  steam-allowed = on [ "steam" ] [ { nixpkgs.config.allowUnfree = true; } ];
  steam-with-given-packages =
    on
      [ "steam" ]
      [
        { nixpkgs.pkgs = import nixpkgs { system = "x86_64-linux"; }; }
      ];
  steam-with-read-only-packages = said (
    nixpkgs.lib.nixosSystem {
      modules = [
        base
        nixpkgs.nixosModules.readOnlyPkgs
        { nixpkgs.pkgs = import nixpkgs { system = "x86_64-linux"; }; }
      ]
      ++ files [ "steam" ];
    }
  );
  steam-on-arm = said (on-platform "aarch64-linux" (files [ "steam" ]));
  wine-on-arm = said (on-platform "aarch64-linux" (files [ "wine" ]));
  gimp-on-a-server = on [ "gimp" ] [ ];
  virt-manager-on-a-server = on [ "virt-manager" ] [ ];
}
