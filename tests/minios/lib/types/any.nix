# Types that accept any value, and differ in how they merge.
{ lib }:
let
  inherit (builtins)
    all
    head
    isAttrs
    length
    map
    ;
  inherit (lib) mergeEqualOption mergeOneOption showOption;
  inherit (lib.types) mkOptionType;
in
rec {
  raw = mkOptionType {
    name = "raw";
    description = "raw value";
    merge = mergeOneOption;
  };

  unspecified = mkOptionType {
    name = "unspecified";
    description = "unspecified value";
  };

  # Merges sets, and functions by their results. A list or a derivation must have a single definition. Other values
  # must be equal.
  anything = mkOptionType {
    name = "anything";
    merge =
      loc: defs:
      let
        kindOf =
          value:
          if isAttrs value && lib.isStringLike value then
            "one"
          else if isAttrs value then
            "set"
          else if lib.isFunction value then
            "function"
          else
            builtins.typeOf value;
        kind = kindOf (head defs).value;
      in
      if !all (def: kindOf def.value == kind) defs then
        throw (
          "The option `${showOption loc}' has conflicting definition values, of different types:"
          + lib.showDefs defs
        )
      else if kind == "set" then
        (lib.types.lazyAttrsOf anything).merge loc defs
      else if kind == "one" then
        mergeOneOption loc defs
      else if kind == "function" && length defs > 1 then
        argument:
        anything.merge (loc ++ [ "<function body>" ]) (
          map (def: {
            inherit (def) file;
            value = def.value argument;
          }) defs
        )
      else if kind == "function" then
        (head defs).value
      else if kind == "list" && length defs > 1 then
        throw "The option `${showOption loc}' has conflicting definitions, in ${
          lib.showFiles (map (def: def.file) defs)
        }."
      else
        mergeEqualOption loc defs;
  };
}
