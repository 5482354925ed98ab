# Types that accept one of several types, convert a value, or add a condition.
{ lib }:
let
  inherit (builtins)
    all
    elem
    head
    map
    ;
  inherit (lib) mergeOneOption;
  inherit (lib.types) mkOptionType;
in
rec {
  either =
    left: right:
    mkOptionType {
      name = "either";
      description = "${left.description} or ${right.description}";
      check = value: left.check value || right.check value;
      merge =
        loc: defs:
        if all (def: left.check def.value) defs then
          left.merge loc defs
        else if all (def: right.check def.value) defs then
          right.merge loc defs
        else
          mergeOneOption loc defs;
      nestedTypes = { inherit left right; };
      functor = {
        name = "either";
        payload = [
          left
          right
        ];
        join =
          a: b:
          let
            joined = [
              ((head a).typeMerge (head b).functor)
              ((lib.last a).typeMerge (lib.last b).functor)
            ];
          in
          if elem null joined then null else joined;
        rebuild = types: either (head types) (lib.last types);
      };
    };
  oneOf = types: builtins.foldl' either (head types) (builtins.tail types);

  # Also accepts values of `coercedType`, and converts them to `finalType`.
  coercedTo =
    coercedType: coerce: finalType:
    mkOptionType {
      name = "coercedTo";
      description = "${finalType.description} or ${coercedType.description} convertible to it";
      check = value: (coercedType.check value && finalType.check (coerce value)) || finalType.check value;
      merge =
        loc: defs:
        finalType.merge loc (
          map (
            def: def // { value = if coercedType.check def.value then coerce def.value else def.value; }
          ) defs
        );
      inherit (finalType) emptyValue getSubOptions getSubModules;
      substSubModules = modules: coercedTo coercedType coerce (finalType.substSubModules modules);
      nestedTypes = { inherit coercedType finalType; };
      typeMerge = _: null;
    };

  addCheck = type: check: type // { check = value: type.check value && check value; };
}
