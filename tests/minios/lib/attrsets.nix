# Functions on attribute sets.
{ lib }:
let
  inherit (builtins)
    elemAt
    filter
    foldl'
    head
    length
    ;
in
rec {
  inherit (builtins)
    attrNames
    attrValues
    intersectAttrs
    isAttrs
    listToAttrs
    mapAttrs
    removeAttrs
    zipAttrsWith
    ;

  hasAttrByPath =
    path: set: path == [ ] || set ? ${head path} && hasAttrByPath (builtins.tail path) set.${head path};

  nameValuePair = name: value: { inherit name value; };

  mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);

  # Like `mapAttrs`, but the function returns a pair, so it can rename attributes.
  mapAttrs' = f: set: listToAttrs (mapAttrsToList f set);

  genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);

  filterAttrs = keep: set: removeAttrs set (filter (name: !keep name set.${name}) (attrNames set));

  optionalAttrs = condition: set: if condition then set else { };

  isDerivation = value: value.type or null == "derivation";

  # `setAttrByPath [ "a" "b" ] 1` is `{ a.b = 1; }`.
  setAttrByPath =
    path: value: foldl' (inner: name: { ${name} = inner; }) value (lib.reverseList path);

  attrByPath =
    path: default: set:
    if path == [ ] then
      set
    else if isAttrs set && set ? ${head path} then
      attrByPath (builtins.tail path) default set.${head path}
    else
      default;

  getAttrFromPath =
    path: set: attrByPath path (throw "there is no attribute ${lib.concatStringsSep "." path}") set;

  # Merges values that are sets on both sides. Otherwise, the right side wins.
  recursiveUpdate =
    left: right:
    zipAttrsWith
      (
        _: values:
        if length values == 2 && isAttrs (head values) && isAttrs (elemAt values 1) then
          recursiveUpdate (head values) (elemAt values 1)
        else
          lib.last values
      )
      [
        left
        right
      ];
}
