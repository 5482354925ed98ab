# The values that each type accepts, and how it merges them.
{ lib }:
let
  inherit (lib) mkOption types;
  merged =
    type: values:
    (lib.evalModules {
      modules = [ { options.x = mkOption { inherit type; }; } ] ++ map (x: { inherit x; }) values;
    }).config.x;
  point = types.submodule {
    options.a = mkOption {
      type = types.int;
      default = 1;
    };
    options.b = mkOption {
      type = types.listOf types.str;
      default = [ ];
    };
  };
in
{
  bool = merged types.bool [
    true
    true
  ];
  bool-conflict = merged types.bool [
    true
    false
  ];
  int-as-text = merged types.int [ "1" ];
  str-equal = merged types.str [
    "a"
    "a"
  ];
  str-conflict = merged types.str [
    "a"
    "b"
  ];
  lines = merged types.lines [
    "a"
    "b"
  ];
  path-as-text = merged types.path [ "/etc/x" ];
  path-relative = merged types.path [ "etc/x" ];
  package-set =
    (merged types.package [
      {
        type = "derivation";
        name = "p";
      }
    ]).name;
  package-twice = merged types.package [
    {
      type = "derivation";
      name = "p";
    }
    {
      type = "derivation";
      name = "p";
    }
  ];
  package-wrong = merged types.package [ 1 ];
  null-or-null = merged (types.nullOr types.int) [
    null
    null
  ];
  null-or-value = merged (types.nullOr types.int) [ 3 ];
  null-or-both = merged (types.nullOr types.int) [
    null
    3
  ];
  list = merged (types.listOf types.int) [
    [ 1 ]
    [
      2
      3
    ]
  ];
  list-wrong-element = merged (types.listOf types.int) [
    [
      1
      "2"
    ]
  ];
  list-as-scalar = merged (types.listOf types.int) [ 1 ];
  attrs-of = merged (types.attrsOf types.int) [
    { a = 1; }
    { b = 2; }
  ];
  attrs-of-conflict = merged (types.attrsOf types.int) [
    { a = 1; }
    { a = 2; }
  ];
  attrs-of-lists = merged (types.attrsOf (types.listOf types.int)) [
    { a = [ 1 ]; }
    { a = [ 2 ]; }
  ];
  attrs-of-wrong = merged (types.attrsOf types.int) [ { a = "x"; } ];
  attrs-of-is-strict-in-conditions = builtins.attrNames (
    merged (types.attrsOf types.int) [
      { a = lib.mkIf false 1; }
      { b = 1; }
    ]
  );
  lazy-attrs-of-keeps-names = builtins.attrNames (
    merged (types.lazyAttrsOf types.int) [
      { a = lib.mkIf false 1; }
      { b = 1; }
    ]
  );
  lazy-attrs-of-empty-value = merged (types.lazyAttrsOf (types.nullOr types.int)) [
    { a = lib.mkIf false 1; }
  ];
  attrs-last-wins = merged types.attrs [
    {
      a = 1;
      b = 1;
    }
    { a = 2; }
  ];
  enum = merged (types.enum [
    "a"
    "b"
  ]) [ "b" ];
  enum-wrong = merged (types.enum [
    "a"
    "b"
  ]) [ "c" ];
  either-left = merged (types.either types.int types.str) [ 1 ];
  either-mixed = merged (types.either types.int types.str) [
    1
    "a"
  ];
  either-wrong = merged (types.either types.int types.str) [ [ ] ];
  one-of =
    merged
      (types.oneOf [
        types.int
        types.bool
        (types.listOf types.int)
      ])
      [
        [ 1 ]
        [ 2 ]
      ];
  coerced = merged (types.coercedTo types.int toString types.str) [ 7 ];
  coerced-list = merged (types.coercedTo types.str (s: [ s ]) (types.listOf types.str)) [
    "a"
    [ "b" ]
  ];
  coerced-wrong = merged (types.coercedTo types.int toString types.str) [ true ];
  add-check = merged (types.addCheck types.int (n: n > 3)) [ 4 ];
  add-check-wrong = merged (types.addCheck types.int (n: n > 3)) [ 3 ];
  str-matching = merged (types.strMatching "[a-z]+") [ "abc" ];
  str-matching-wrong = merged (types.strMatching "[a-z]+") [ "ABC" ];
  separated = merged (types.separatedString ":") [
    "a"
    "b"
  ];
  unsigned-wrong = merged types.ints.unsigned [ (-1) ];
  between = merged (types.ints.between 1 3) [ 3 ];
  between-wrong = merged (types.ints.between 1 3) [ 4 ];
  port = merged types.port [ 65535 ];
  port-wrong = merged types.port [ 65536 ];
  raw = merged types.raw [ { a = lib.mkIf false 1; } ] ? a;
  raw-twice = merged types.raw [
    1
    1
  ];
  unspecified-lists = merged types.unspecified [
    [ 1 ]
    [ 2 ]
  ];
  unspecified-sets = merged types.unspecified [
    { a = 1; }
    { b = 2; }
  ];
  unspecified-mixed = merged types.unspecified [
    1
    "a"
  ];
  unspecified-texts = merged types.unspecified [
    "a"
    "b"
  ];
  anything-sets = merged types.anything [
    { a.b = 1; }
    { a.c = 2; }
  ];
  anything-conflict = merged types.anything [
    { a = 1; }
    { a = 2; }
  ];
  anything-kinds = merged types.anything [
    { a = 1; }
    { a = "x"; }
  ];
  anything-lists = merged types.anything [
    [ 1 ]
    [ 1 ]
  ];
  anything-functions = merged types.anything [
    (n: { a = n; })
    (n: { b = n; })
  ] 3;
  function-to = merged (types.functionTo (types.listOf types.int)) [
    (n: [ n ])
    (n: [ (n + 1) ])
  ] 1;
  function-to-wrong = merged (types.functionTo types.int) [ (_: "x") ] 1;
  deferred =
    (lib.evalModules {
      modules = [
        { options.y = mkOption { type = types.listOf types.int; }; }
        (merged types.deferredModule [
          { y = [ 1 ]; }
          { y = [ 2 ]; }
        ])
      ];
    }).config.y;

  submodule-defaults = merged point [ { } ];
  submodule-merge = merged point [
    { a = 2; }
    { b = [ "x" ]; }
    { b = [ "y" ]; }
  ];
  submodule-function = merged point [
    ({ lib, ... }: { a = lib.mkForce 9; })
    { a = 2; }
  ];
  submodule-unknown = merged point [ { c = 1; } ];
  submodule-wrong = merged point [ { a = "x"; } ];
  submodule-name =
    merged
      (types.attrsOf (
        types.submodule (
          { name, ... }: {
            options.n = mkOption { default = name; };
          }
        )
      ))
      [
        {
          foo = { };
          bar.n = "given";
        }
      ];
  submodule-in-list = merged (types.listOf point) [
    [ { a = 1; } ]
    [ { a = 2; } ]
  ];
  submodule-sees-config = merged (types.submodule (
    { config, ... }: {
      options.a = mkOption { type = types.int; };
      options.twice = mkOption { default = config.a * 2; };
    }
  )) [ { a = 4; } ];
  submodule-special-args = merged (types.submoduleWith {
    specialArgs.word = "w";
    modules = [ ({ word, ... }: { options.a = mkOption { default = word; }; }) ];
  }) [ { } ];
  submodule-not-a-module = merged point [ 3 ];
  submodule-freeform = merged (types.submodule {
    freeformType = types.attrsOf types.int;
    options.a = mkOption { default = "a"; };
  }) [ { z = 1; } ];

  own-type =
    merged
      (lib.mkOptionType {
        name = "largest";
        check = builtins.isInt;
        merge = _: defs: builtins.foldl' (a: d: if d.value > a then d.value else a) 0 defs;
      })
      [
        3
        9
        4
      ];
  own-type-location =
    merged
      (lib.mkOptionType {
        name = "where";
        merge = loc: defs: [
          (lib.showOption loc)
          (builtins.length defs)
        ];
      })
      [
        1
        2
      ];
}
