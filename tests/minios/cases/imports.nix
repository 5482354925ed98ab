# Imports: the modules that become part of a configuration, their order, and their arguments.
{ lib }:
let
  inherit (lib) mkOption types;
  eval = modules: lib.evalModules { inherit modules; };
  items = modules: (eval ([ ./parts/items.nix ] ++ modules)).config.items;
in
{
  path = items [ ./parts/adds-one.nix ];
  path-as-text = items [ (toString ./parts/adds-one.nix) ];
  folder = items [ ./parts/folder ];
  function = items [ ({ ... }: { items = [ "f" ]; }) ];
  functor = items [
    {
      __functor = _: { lib, ... }: {
        items = [
          (lib.concatStringsSep "-" [
            "f"
            "g"
          ])
        ];
      };
    }
  ];
  nested = items [ ./parts/adds-two.nix ];
  nested-deeper = items [
    {
      imports = [
        { imports = [ { imports = [ ./parts/adds-two.nix ]; } ]; }
        { items = [ "side" ]; }
      ];
      items = [ "top" ];
    }
  ];
  same-file-once = items [
    ./parts/adds-one.nix
    ./parts/adds-two.nix
    ./parts/adds-one.nix
  ];
  same-key-once = items [
    ./parts/keyed.nix
    {
      key = "keyed";
      items = [ "other" ];
    }
  ];
  anonymous-not-merged = items [
    { items = [ "same" ]; }
    { items = [ "same" ]; }
  ];
  order-of-modules = items [
    { items = [ "1" ]; }
    { items = [ "2" ]; }
    {
      imports = [ { items = [ "3a" ]; } ];
      items = [ "3" ];
    }
    { items = [ "4" ]; }
  ];
  disabled-path = items [
    ./parts/adds-one.nix
    { disabledModules = [ ./parts/adds-one.nix ]; }
  ];
  disabled-takes-its-imports = items [
    ./parts/adds-two.nix
    { disabledModules = [ ./parts/adds-two.nix ]; }
  ];
  disabled-import-of-another = items [
    ./parts/adds-two.nix
    { disabledModules = [ ./parts/adds-one.nix ]; }
  ];
  disabled-key = items [
    ./parts/keyed.nix
    { disabledModules = [ { key = "keyed"; } ]; }
  ];
  disabled-below-modules-path =
    (lib.evalModules {
      specialArgs.modulesPath = toString ./parts;
      modules = [
        ./parts/items.nix
        ./parts/adds-one.nix
        { disabledModules = [ "adds-one.nix" ]; }
      ];
    }).config.items;
  disabled-set-without-key = items [ { disabledModules = [ { name = "x"; } ]; } ];

  special-args =
    (lib.evalModules {
      specialArgs.word = "special";
      modules = [
        ./parts/items.nix
        ({ word, ... }: { items = [ word ]; })
      ];
    }).config.items;
  special-args-in-imports =
    (lib.evalModules {
      specialArgs.part = ./parts/adds-one.nix;
      modules = [
        ./parts/items.nix
        ({ part, ... }: { imports = [ part ]; })
      ];
    }).config.items;
  module-args = items [
    { _module.args.word = "argument"; }
    ({ word, ... }: { items = [ word ]; })
  ];
  module-args-unused-may-be-missing = items [ ({ nothing, ... }: { items = [ "fine" ]; }) ];
  module-args-missing = items [ ({ nothing, ... }: { items = [ nothing ]; }) ];
  module-args-in-imports = items [
    { _module.args.part = ./parts/adds-one.nix; }
    ({ part, ... }: { imports = [ part ]; })
  ];
  module-args-default-is-ignored = items [
    (
      {
        word ? "default",
        ...
      }:
      {
        items = [ word ];
      }
    )
  ];
  all-arguments = builtins.attrNames (
    builtins.intersectAttrs
      {
        config = 1;
        lib = 1;
        options = 1;
        specialArgs = 1;
      }
      (eval [
        (
          { ... }@args:
          {
            options.seen = mkOption {
              default = args;
              type = types.raw;
            };
          }
        )
      ]).config.seen
  );

  a-number = items [ 1 ];
  a-nested-list = items [ [ { } ] ];
  another-type = items [ { _type = "flake"; } ];
  missing-file = items [ ./parts/no-such-file.nix ];
  syntax-error = items [ ./parts/syntax-error.nix ];
  unsupported-attribute = items [
    {
      config.items = [ ];
      items = [ "x" ];
    }
  ];
  conditional-module = items [ (lib.mkIf true { items = [ "if" ]; }) ];
  wrong-class =
    (lib.evalModules {
      class = "nixos";
      modules = [ { _class = "home"; } ];
    }).config;
  right-class =
    (lib.evalModules {
      class = "nixos";
      modules = [
        ./parts/items.nix
        {
          _class = "nixos";
          items = [ "c" ];
        }
      ];
    }).config.items;
}
