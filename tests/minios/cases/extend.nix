# `extendModules`: adding a module to an evaluated configuration.
{ lib }:
let
  inherit (lib) mkOption types;
  base = lib.evalModules {
    specialArgs.word = "base";
    modules = [
      {
        _file = "base";
        options.items = mkOption {
          type = types.listOf types.str;
          default = [ ];
        };
        options.n = mkOption {
          type = types.int;
          default = 1;
        };
        config.items = [ "base" ];
      }
    ];
  };
  extend = modules: base.extendModules { inherit modules; };
in
{
  adds = (extend [ { items = [ "more" ]; } ]).config.items;
  base-is-unchanged =
    builtins.seq (extend [ { items = [ "more" ]; } ]).config.items
      base.config.items;
  forces = (extend [ { n = lib.mkForce 5; } ]).config.n;
  conflicts =
    (extend [
      { n = 2; }
      { n = 3; }
    ]).config.n;
  twice =
    ((extend [ { items = [ "2" ]; } ]).extendModules { modules = [ { items = [ "3" ]; } ]; })
    .config.items;
  order-is-that-of-the-list =
    (extend [
      { items = [ "x" ]; }
      { items = [ "y" ]; }
      { items = [ "z" ]; }
    ]).config.items;
  declares =
    (extend [
      { options.new = mkOption { default = "new"; }; }
    ]).config.new;
  special-args-add =
    (base.extendModules {
      specialArgs.other = "extended";
      modules = [
        ({ word, other, ... }: {
          items = [
            word
            other
          ];
        })
      ];
    }).config.items;
  special-args-replace =
    (base.extendModules {
      specialArgs.word = "replaced";
      modules = [ ({ word, ... }: { items = [ word ]; }) ];
    }).config.items;
  disables =
    (
      (lib.evalModules {
        modules = [
          ./parts/items.nix
          ./parts/adds-one.nix
        ];
      }).extendModules
      { modules = [ { disabledModules = [ ./parts/adds-one.nix ]; } ]; }
    ).config.items;
  prefix =
    (base.extendModules {
      prefix = [
        "p"
        "q"
      ];
    }).options.n.loc;
  unknown-option = (extend [ { nothing = 1; } ]).config;
  same-path-once =
    (
      (lib.evalModules {
        modules = [
          ./parts/items.nix
          ./parts/adds-one.nix
        ];
      }).extendModules
      { modules = [ ./parts/adds-one.nix ]; }
    ).config.items;
  from-inside =
    (lib.evalModules {
      modules = [
        (
          { extendModules, ... }:
          {
            options.n = mkOption {
              type = types.int;
              default = 1;
            };
            options.other = mkOption {
              type = types.raw;
              default = (extendModules { modules = [ { n = 2; } ]; }).config.n;
            };
          }
        )
      ];
    }).config.other;
  type-of-configuration =
    (lib.evalModules {
      modules = [
        {
          options.inner = mkOption { inherit (base) type; };
          config.inner.items = [ "in" ];
        }
      ];
    }).config.inner.items;
  type-attribute = base._type;
}
