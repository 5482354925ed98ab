# Conditions, priorities and orderings of definitions.
{ lib }:
let
  inherit (lib) mkOption types;
  declare = type: { options.x = mkOption { inherit type; }; };
  x = type: modules: (lib.evalModules { modules = [ (declare type) ] ++ modules; }).config.x;
  list = x (types.listOf types.str);
  int = x types.int;
  attrs = x (types.attrsOf types.int);
in
{
  if-true = int [ { x = lib.mkIf true 1; } ];
  if-false = int [
    { x = lib.mkIf false 1; }
    { x = 2; }
  ];
  if-false-only = int [ { x = lib.mkIf false 1; } ];
  if-false-is-not-evaluated = int [
    { x = lib.mkIf false (throw "evaluated"); }
    { x = 2; }
  ];
  if-not-boolean = int [ { x = lib.mkIf "yes" 1; } ];
  if-on-whole-config = int [ { config = lib.mkIf true { x = 3; }; } ];
  if-on-own-option =
    (lib.evalModules {
      modules = [
        (declare types.int)
        ({ config, ... }: {
          options.enable = mkOption {
            type = types.bool;
            default = false;
          };
          config = lib.mkIf config.enable { x = 5; };
        })
        { enable = true; }
      ];
    }).config.x;
  if-decides-names = attrs [
    { x = lib.mkIf true { a = 1; }; }
    { x = lib.mkIf false { b = 2; }; }
    { x.c = lib.mkIf false 3; }
  ];
  if-in-list = list [
    {
      x = [
        "a"
        (lib.mkIf false "b")
        (lib.mkIf true "c")
      ];
    }
  ];

  merge = list [
    {
      x = lib.mkMerge [
        [ "a" ]
        [ "b" ]
        (lib.mkIf false [ "c" ])
      ];
    }
  ];
  merge-of-configs = attrs [
    {
      config = lib.mkMerge [
        { x.a = 1; }
        (lib.mkIf true { x.b = 2; })
      ];
    }
  ];
  merge-in-merge = list [
    {
      x = lib.mkMerge [
        (lib.mkMerge [ [ "a" ] ])
        [ "b" ]
      ];
    }
  ];

  force = int [
    { x = 1; }
    { x = lib.mkForce 2; }
  ];
  force-twice-different = int [
    { x = lib.mkForce 1; }
    { x = lib.mkForce 2; }
  ];
  default-yields = int [
    { x = lib.mkDefault 1; }
    { x = 2; }
  ];
  override-number = int [
    { x = lib.mkOverride 20 1; }
    { x = lib.mkForce 2; }
    { x = 3; }
  ];
  override-hides-conflict = int [
    { x = 1; }
    { x = 2; }
    { x = lib.mkOverride 10 3; }
  ];
  override-in-if = int [
    { x = lib.mkIf true (lib.mkForce 1); }
    { x = 2; }
  ];
  override-on-whole-config = int [
    { config = lib.mkForce { x = 1; }; }
    { x = 2; }
  ];
  override-in-set = attrs [
    { x.a = lib.mkForce 1; }
    {
      x.a = 2;
      x.b = 3;
    }
  ];
  override-of-set = attrs [
    { x = lib.mkForce { a = 1; }; }
    { x.b = 2; }
  ];
  option-default-is-weakest =
    (lib.evalModules {
      modules = [
        {
          options.x = mkOption {
            type = types.int;
            default = 1;
          };
        }
        { x = lib.mkDefault 2; }
      ];
    }).config.x;

  before-and-after = list [
    { x = lib.mkAfter [ "last" ]; }
    { x = [ "middle" ]; }
    { x = lib.mkBefore [ "first" ]; }
  ];
  order-number = list [
    { x = lib.mkOrder 900 [ "b" ]; }
    { x = lib.mkOrder 100 [ "a" ]; }
    { x = [ "c" ]; }
  ];
  order-is-stable = list [
    { x = lib.mkBefore [ "a" ]; }
    { x = lib.mkBefore [ "b" ]; }
    { x = [ "c" ]; }
    { x = [ "d" ]; }
  ];
  order-in-force = list [
    { x = lib.mkForce (lib.mkAfter [ "z" ]); }
    { x = lib.mkForce [ "a" ]; }
    { x = [ "gone" ]; }
  ];
  order-of-lines = x types.lines [
    { x = lib.mkAfter "end"; }
    { x = "start"; }
  ];
}
