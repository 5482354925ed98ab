# Option declarations, and the ways to merge several definitions of an option.
{ lib }:
let
  inherit (builtins)
    all
    concatLists
    foldl'
    head
    isAttrs
    isBool
    isInt
    isList
    isString
    length
    tail
    ;

  valuesOf = map (def: def.value);

  remedy = "\nUse `lib.mkForce value` or `lib.mkDefault value` to give these definitions different priorities.";
in
rec {
  inherit (lib.types) mkOptionType;

  mkOption = attributes: attributes // { _type = "option"; };

  mkEnableOption =
    what:
    mkOption {
      type = lib.types.bool;
      default = false;
      example = true;
      description = "Whether to enable ${what}.";
    };

  isOption = value: isAttrs value && value._type or null == "option";

  # An expression for the manual, if the value itself cannot be shown.
  literalExpression = text: {
    _type = "literalExpression";
    inherit text;
  };

  # Requires equal definitions.
  mergeEqualOption =
    loc: defs:
    if defs == [ ] then
      abort "the option `${lib.showOption loc}' is merged without a definition"
    else
      let
        first = (head defs).value;
      in
      if all (def: def.value == first) (tail defs) then
        first
      else
        throw "The option `${lib.showOption loc}' has conflicting definition values:${lib.showDefs defs}${remedy}";

  # Requires exactly one definition, for values that cannot be compared or must not be merged.
  mergeUniqueOption =
    { message }:
    loc: defs:
    if length defs == 1 then
      (head defs).value
    else
      throw (
        "The option `${lib.showOption loc}' is defined multiple times while it's expected to be unique.\n"
        + "${message}\nDefinition values:${lib.showDefs defs}${remedy}"
      );
  mergeOneOption = mergeUniqueOption { message = ""; };

  # Merges by the kind of the values, for options without a type.
  mergeDefaultOption =
    loc: defs:
    let
      values = valuesOf defs;
    in
    if length values == 1 then
      head values
    else if all lib.isFunction values then
      argument: mergeDefaultOption loc (map (def: def // { value = def.value argument; }) defs)
    else if all isList values then
      concatLists values
    else if all isAttrs values then
      foldl' (all: part: all // part) { } values
    else if all isBool values then
      foldl' (any: value: any || value) false values
    else if all isString values then
      lib.concatStrings values
    else if all isInt values && all (value: value == head values) values then
      head values
    else
      throw "Cannot merge definitions of `${lib.showOption loc}'. Definition values:${lib.showDefs defs}";
}
