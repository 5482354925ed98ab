# Types of single values, and strings that are concatenated from several definitions.
{ lib }:
let
  inherit (builtins)
    elem
    isBool
    isInt
    isString
    match
    ;
  inherit (lib) mergeEqualOption mergeOneOption;
  inherit (lib.types) mkOptionType mkSimple;

  between =
    name: low: high:
    mkSimple "${name} ${toString low} ${toString high}"
      "integer between ${toString low} and ${toString high} (both inclusive)"
      (value: isInt value && value >= low && value <= high);
in
rec {
  bool = mkSimple "bool" "boolean" isBool;
  int = mkSimple "int" "signed integer" isInt;
  str = mkSimple "str" "string" isString;
  path = mkSimple "path" "path" (
    value: lib.isStringLike value && builtins.substring 0 1 (toString value) == "/"
  );
  package = mkOptionType {
    name = "package";
    check = value: lib.isDerivation value || lib.isStorePath value;
    merge = mergeOneOption;
  };

  ints = {
    between = low: high: between "intBetween" low high;
    unsigned = mkSimple "unsignedInt" "unsigned integer, meaning >=0" (
      value: isInt value && value >= 0
    );
    positive = mkSimple "positiveInt" "positive integer, meaning >0" (value: isInt value && value > 0);
    u8 = between "unsignedInt8" 0 255;
    u16 = between "unsignedInt16" 0 65535;
  };
  port = ints.u16;

  strMatching =
    pattern:
    mkOptionType {
      name = "strMatching ${builtins.toJSON pattern}";
      description = "string matching the pattern ${pattern}";
      check = value: isString value && match pattern value != null;
      merge = mergeEqualOption;
    };

  enum =
    values:
    mkOptionType {
      name = "enum";
      description = "one of ${lib.concatMapStringsSep ", " lib.showValue values}";
      check = value: elem value values;
      merge = mergeEqualOption;
      functor = {
        name = "enum";
        payload = values;
        join = left: right: lib.unique (left ++ right);
        rebuild = enum;
      };
    };

  separatedString =
    separator:
    mkOptionType {
      name = "separatedString";
      description = "strings concatenated with ${builtins.toJSON separator}";
      check = isString;
      merge = _: defs: lib.concatMapStringsSep separator (def: def.value) defs;
      functor = {
        name = "separatedString";
        payload = separator;
        join = left: right: if left == right then left else null;
        rebuild = separatedString;
      };
    };
  lines = separatedString "\n";
}
