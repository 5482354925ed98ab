# Option declarations: attributes, multiple declarations, undeclared options, and renamed ones.
{ lib }:
let
  inherit (lib) mkOption types;
  eval = modules: lib.evalModules { inherit modules; };
  warnings = {
    options.warnings = mkOption {
      type = types.listOf types.str;
      default = [ ];
    };
    options.assertions = mkOption {
      type = types.listOf types.unspecified;
      default = [ ];
    };
  };
  x = {
    _file = "declares";
    options.a.x = mkOption {
      type = types.listOf types.int;
      default = [ 0 ];
      description = "An option.";
    };
  };
  renamed =
    definitions:
    (eval [
      warnings
      x
      (lib.mkRenamedOptionModule [ "old" "x" ] [ "a" "x" ])
      (definitions // { _file = "user"; })
    ]).config;
in
{
  default = (eval [ x ]).config.a.x;
  enable-option = (eval [ { options.e = lib.mkEnableOption "it"; } ]).config.e;
  apply =
    (eval [
      {
        options.n = mkOption {
          type = types.int;
          apply = n: n * 2;
        };
        config.n = 21;
      }
    ]).config.n;
  not-defined = (eval [ { options.n = mkOption { type = types.int; }; } ]).config.n;
  not-declared =
    (eval [
      x
      { a.y = 1; }
    ]).config.a.x;
  not-declared-at-top =
    (eval [
      x
      { b = 1; }
    ]).config;
  not-declared-deep =
    (eval [
      x
      { q.r.s = 1; }
    ]).config;
  not-declared-under-false-condition =
    (eval [
      x
      { b = lib.mkIf false 1; }
    ]).config.a.x;
  option-in-config =
    (eval [
      x
      { b = mkOption { }; }
    ]).config;
  check-off =
    (eval [
      x
      {
        _module.check = false;
        b = 1;
      }
    ]).config.a.x;
  not-a-set =
    (eval [
      x
      { a = 1; }
    ]).config.a.x;
  not-an-option = (eval [ { options.a = 1; } ]).config;
  read-only-default =
    (eval [
      {
        options.n = mkOption {
          readOnly = true;
          default = 1;
        };
      }
    ]).config.n;
  read-only-once =
    (eval [
      {
        options.n = mkOption { readOnly = true; };
        config.n = 1;
      }
    ]).config.n;
  read-only-twice =
    (eval [
      {
        options.n = mkOption {
          readOnly = true;
          default = 1;
        };
        config.n = 2;
      }
    ]).config.n;

  declared-twice =
    (eval [
      x
      x
    ]).config;
  declared-twice-default =
    (eval [
      { options.n = mkOption { default = 1; }; }
      { options.n = mkOption { default = 2; }; }
    ]).config;
  declared-twice-completing =
    (eval [
      { options.n = mkOption { type = types.int; }; }
      { options.n = mkOption { default = 2; }; }
    ]).config.n;
  declared-twice-enum =
    (eval [
      { options.n = mkOption { type = types.enum [ "a" ]; }; }
      { options.n = mkOption { type = types.enum [ "b" ]; }; }
      { n = "b"; }
    ]).config.n;
  declared-twice-submodule =
    (eval [
      { options.s = mkOption { type = types.submodule { options.a = mkOption { default = 1; }; }; }; }
      { options.s = mkOption { type = types.submodule { options.b = mkOption { default = 2; }; }; }; }
      { s = { }; }
    ]).config.s;
  declared-twice-types =
    (eval [
      { options.n = mkOption { type = types.int; }; }
      { options.n = mkOption { type = types.str; }; }
      { n = 1; }
    ]).config.n;
  declared-in-submodule =
    (eval [
      { options.s = mkOption { type = types.submodule { options.a = mkOption { default = 1; }; }; }; }
      { options.s.b = mkOption { default = 2; }; }
      { s = { }; }
    ]).config.s;
  prefix-of-options =
    (eval [
      { options.s = mkOption { type = types.int; }; }
      { options.s.b = mkOption { default = 2; }; }
    ]).config.s;

  freeform =
    (eval [
      x
      {
        freeformType = types.attrsOf types.int;
        n = 1;
        m = 2;
      }
    ]).config;
  freeform-wrong =
    (eval [
      { freeformType = types.attrsOf types.int; }
      { n = "x"; }
    ]).config.n;
  freeform-nested =
    (eval [
      x
      {
        freeformType = types.lazyAttrsOf types.anything;
        config.a.free = 1;
        config.a.x = [ 4 ];
      }
    ]).config.a;

  is-defined =
    let
      o =
        (eval [
          {
            options.n = mkOption { type = types.int; };
            options.m = mkOption { type = types.int; };
            config.m = 1;
          }
        ]).options;
    in
    [
      o.n.isDefined
      o.m.isDefined
    ];
  files =
    (eval [
      x
      {
        _file = "one";
        a.x = [ 1 ];
      }
      {
        _file = "two";
        imports = [ { a.x = [ 2 ]; } ];
      }
    ]).options.a.x.files;
  declarations = (eval [ x ]).options.a.x.declarations;
  loc = (eval [ x ]).options.a.x.loc;
  as-text = toString (eval [ x ]).options.a.x;
  highest-priority = [
    (eval [ x ]).options.a.x.highestPrio
    (eval [
      x
      { a.x = [ ]; }
    ]).options.a.x.highestPrio
    (eval [
      x
      { a.x = lib.mkForce [ ]; }
    ]).options.a.x.highestPrio
    (eval [
      x
      { a.x = lib.mkDefault [ ]; }
    ]).options.a.x.highestPrio
  ];
  definitions-with-locations =
    map (def: { inherit (def) file value; })
      (eval [
        x
        {
          _file = "one";
          a.x = lib.mkAfter [ 1 ];
        }
        {
          _file = "two";
          a.x = lib.mkMerge [
            [ 2 ]
            [ 3 ]
          ];
        }
      ]).options.a.x.definitionsWithLocations;
  option-value =
    (eval [
      x
      { a.x = [ 7 ]; }
    ]).options.a.x.value;
  type-name = (eval [ x ]).options.a.x.type.name;
  options-argument =
    (eval [
      x
      ({ options, ... }: { a.x = [ (if options.a.x.isDefined then 1 else 2) ]; })
      ({ options, ... }: { options.seen = mkOption { default = options ? a.x; }; })
    ]).config.seen;

  renamed = (renamed { old.x = [ 5 ]; }).a.x;
  renamed-warns = (renamed { old.x = [ 5 ]; }).warnings;
  renamed-is-silent = (renamed { a.x = [ 5 ]; }).warnings;
  renamed-reads = (renamed { a.x = [ 6 ]; }).old.x;
  renamed-keeps-priority =
    (renamed {
      old.x = lib.mkForce [ 5 ];
      a.x = [ 6 ];
    }).a.x;
  removed =
    builtins.all (a: a.assertion)
      (eval [
        warnings
        (lib.mkRemovedOptionModule [ "gone" ] "Use something else.")
        {
          _file = "user";
          gone = 1;
        }
      ]).config.assertions;
  removed-unused =
    builtins.all (a: a.assertion)
      (eval [
        warnings
        (lib.mkRemovedOptionModule [ "gone" ] "")
      ]).config.assertions;
  removed-read =
    (eval [
      warnings
      (lib.mkRemovedOptionModule [ "gone" ] "Use something else.")
    ]).config.gone;

  infinite-recursion =
    (eval [
      x
      ({ config, ... }: { a.x = config.a.x; })
    ]).config.a.x;
  infinite-recursion-in-imports =
    (eval [
      x
      ({ config, ... }: { imports = if config.a.x == [ ] then [ ] else [ { } ]; })
    ]).config.a.x;
  infinite-recursion-in-condition =
    (eval [
      x
      (
        { config, ... }:
        {
          config = if config.a.x == [ ] then { } else { a.x = [ 1 ]; };
        }
      )
    ]).config.a.x;
}
