# Container types.
{ lib }:
let
  inherit (builtins)
    all
    concatLists
    isAttrs
    isList
    map
    mapAttrs
    zipAttrsWith
    ;
  inherit (lib) mergeDefinitions showOption;
  inherit (lib.types) aroundType mkOptionType;

  attrsOfWith =
    {
      name,
      lazy,
      rebuild,
    }:
    elemType:
    mkOptionType {
      inherit name;
      description = "${lib.optionalString lazy "lazy "}attribute set of ${elemType.description}";
      check = isAttrs;
      merge =
        loc: defs:
        let
          merged = zipAttrsWith (name: mergeDefinitions (loc ++ [ name ]) elemType) (
            map (
              def:
              mapAttrs (_: value: {
                inherit (def) file;
                inherit value;
              }) def.value
            ) defs
          );
        in
        # The lazy type cannot know which names exist only under a false condition, so it keeps all of them.
        if lazy then
          mapAttrs (
            _: element: element.optionalValue.value or elemType.emptyValue.value or element.mergedValue
          ) merged
        else
          mapAttrs (_: element: element.mergedValue) (lib.filterAttrs (_: element: element.isDefined) merged);
      emptyValue.value = { };
      getSubOptions = prefix: elemType.getSubOptions (prefix ++ [ "<name>" ]);
      inherit (elemType) getSubModules;
      substSubModules = modules: rebuild (elemType.substSubModules modules);
      nestedTypes = { inherit elemType; };
      functor = aroundType name elemType rebuild;
    };
in
rec {
  nullOr =
    elemType:
    mkOptionType {
      name = "nullOr";
      description = "null or ${elemType.description}";
      check = value: value == null || elemType.check value;
      merge =
        loc: defs:
        if all (def: def.value == null) defs then
          null
        else if lib.any (def: def.value == null) defs then
          throw "The option `${showOption loc}' is defined both null and not null, in ${
            lib.showFiles (map (def: def.file) defs)
          }."
        else
          elemType.merge loc defs;
      emptyValue.value = null;
      inherit (elemType) getSubOptions getSubModules;
      substSubModules = modules: nullOr (elemType.substSubModules modules);
      nestedTypes = { inherit elemType; };
      functor = aroundType "nullOr" elemType nullOr;
    };

  listOf =
    elemType:
    mkOptionType {
      name = "listOf";
      description = "list of ${elemType.description}";
      check = isList;
      # Each element is a separate definition, so it can be wrapped in a condition.
      merge =
        loc: defs:
        concatLists (
          lib.imap1 (
            d: def:
            builtins.concatMap (element: lib.optional element.isDefined element.mergedValue) (
              lib.imap1 (
                e: value:
                mergeDefinitions (loc ++ [ "[definition ${toString d}-entry ${toString e}]" ]) elemType [
                  {
                    inherit (def) file;
                    inherit value;
                  }
                ]
              ) def.value
            )
          ) defs
        );
      emptyValue.value = [ ];
      getSubOptions = prefix: elemType.getSubOptions (prefix ++ [ "*" ]);
      inherit (elemType) getSubModules;
      substSubModules = modules: listOf (elemType.substSubModules modules);
      nestedTypes = { inherit elemType; };
      functor = aroundType "listOf" elemType listOf;
    };

  attrsOf = attrsOfWith {
    name = "attrsOf";
    lazy = false;
    rebuild = attrsOf;
  };
  lazyAttrsOf = attrsOfWith {
    name = "lazyAttrsOf";
    lazy = true;
    rebuild = lazyAttrsOf;
  };

  # A set without a type for its values: of two definitions of a name, the last one wins.
  attrs = mkOptionType {
    name = "attrs";
    description = "attribute set";
    check = isAttrs;
    merge = _: builtins.foldl' (all: def: all // def.value) { };
    emptyValue.value = { };
  };

  functionTo =
    elemType:
    mkOptionType {
      name = "functionTo";
      description = "function that evaluates to a(n) ${elemType.description}";
      check = lib.isFunction;
      merge =
        loc: defs:
        lib.setFunctionArgs (
          argument:
          (mergeDefinitions (loc ++ [ "<function body>" ]) elemType (
            map (def: {
              inherit (def) file;
              value = def.value argument;
            }) defs
          )).mergedValue
        ) (builtins.foldl' (all: def: all // lib.functionArgs def.value) { } defs);
      inherit (elemType) getSubOptions getSubModules;
      substSubModules = modules: functionTo (elemType.substSubModules modules);
      nestedTypes = { inherit elemType; };
      functor = aroundType "functionTo" elemType functionTo;
    };
}
