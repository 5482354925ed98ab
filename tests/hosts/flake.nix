{
  description = "Real NixOS hosts, for comparing with what the nix command gives and for measuring";

  # Where nixpkgs lies is for whoever uses this to say: `world.py` writes a flake.lock that replaces this reference, which
  # means nothing by itself. With one in place nothing is fetched or copied, however often this is evaluated.
  inputs.nixpkgs.url = "path:/nowhere/nixpkgs";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;

      host =
        file:
        lib.nixosSystem {
          specialArgs = { inherit self; };
          modules = [ file ];
        };

      hosts = {
        box = host ./hosts/box.nix;
        box-real = host ./hosts/box-real.nix;
      };

      # What is turned on in tests and measurements; in the order in which the program evaluates them.
      sets = {
        jenkins = [ "jenkins" ];
        "grafana+jenkins" = [
          "grafana"
          "jenkins"
        ];
        gotosocial = [ "gotosocial" ];
        podman = [ "podman" ];
        inline = [ "inline" ];
      };

      # The same systems as people would write them down: `nix` is asked for these.
      extended =
        name: configuration:
        lib.mapAttrs' (
          set: modules:
          lib.nameValuePair "${name}+${set}" (
            configuration.extendModules {
              modules = map (module: ./modules + "/${module}.nix") modules;
            }
          )
        ) sets;
    in
    {
      nixosConfigurations =
        hosts
        // lib.concatMapAttrs extended hosts
        // {
          box-pause = import ./pausing.nix (host {
            imports = [ ./hosts/box.nix ];
            networking.hostName = lib.mkForce "box-pause";
          });
        };

      runtimeModules.firewall-off = {
        module = ./modules/firewall-off.nix;
        description = "No firewall; of the flake's own output";
      };
    };
}
