{
  description = "Real NixOS hosts, for comparisons with the nix command and for measurements";

  # The user provides nixpkgs: `world.py` writes a flake.lock that replaces this reference. With this lock file,
  # evaluation fetches and copies nothing.
  inputs.nixpkgs.url = "https://nowhere.invalid/nixpkgs.tar.gz";

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

      # The modules that tests and measurements enable, in the order in which the program evaluates them.
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

      # Hosts that declare many modules: those of `box`, and sixteen small ones.
      units = map (number: "unit-${toString number}") (lib.range 1 16);
      many =
        name: file:
        host {
          imports = [ file ];
          networking.hostName = lib.mkOverride 40 name;
          services.runtimeModules.modules = lib.genAttrs units (unit: {
            module = small unit;
          });
        };
      small = unit: {
        systemd.services.${unit} = {
          wantedBy = [ "multi-user.target" ];
          script = "echo ${unit}";
        };
        environment.etc.${unit}.text = unit;
      };

      # The modules that measurements check. `each` defines a system with each of them, written out by hand.
      checked = {
        jenkins = ./modules/jenkins.nix;
        grafana = ./modules/grafana.nix;
        gotosocial = ./modules/gotosocial.nix;
        podman = ./modules/podman.nix;
        printing = ./modules/printing.nix;
        tailscale = ./modules/tailscale.nix;
        prometheus = ./modules/prometheus.nix;
        inline = ./modules/inline.nix;
      }
      // lib.genAttrs units small;
      each =
        name: configuration:
        lib.mapAttrs' (
          module: file:
          lib.nameValuePair "${name}+${module}" (configuration.extendModules { modules = [ file ]; })
        ) checked;
      manies = {
        box-many = many "box-many" ./hosts/box.nix;
        box-real-many = many "box-real-many" ./hosts/box-real.nix;
      };

      # The systems with the modules in `sets`, written out by hand for the nix command.
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
        // manies
        // lib.concatMapAttrs each manies
        // {
          # Declaring modules should cost almost nothing: this host declares those of `box` and a thousand more.
          box-thousand = host {
            imports = [ ./hosts/box.nix ];
            networking.hostName = lib.mkForce "box-thousand";
            services.runtimeModules.modules = lib.listToAttrs (
              map (
                number:
                lib.nameValuePair "declared-${toString number}" {
                  module = ./modules/inline.nix;
                  description = "Number ${toString number} of a thousand";
                }
              ) (lib.range 1 1000)
            );
          };
          box-pause = import ./pausing.nix (host {
            imports = [ ./hosts/box.nix ];
            networking.hostName = lib.mkForce "box-pause";
          });
        };

      runtimeModules.firewall-off = {
        module = ./modules/firewall-off.nix;
        description = "No firewall, from the flake's own output";
      };
    };
}
