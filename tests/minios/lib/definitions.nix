# Evaluates the value of an option from its definitions.
{ lib }:
let
  inherit (builtins)
    addErrorContext
    all
    concatMap
    length
    map
    ;
in
rec {
  # Takes the option's path, its type and its definitions ({ file, value }, with wrappers). The result is lazy: a caller
  # can find out whether there is a definition without evaluating one.
  mergeDefinitions = loc: type: defs: rec {
    defsFinal' =
      let
        discharged = concatMap (
          def:
          map
            (value: {
              inherit (def) file;
              inherit value;
            })
            (
              addErrorContext "while evaluating definitions from `${toString def.file}':" (
                lib.dischargeProperties def.value
              )
            )
        ) defs;
        strongest = lib.filterOverrides' discharged;
      in
      {
        values = lib.sortProperties strongest.values;
        inherit (strongest) highestPrio;
      };
    defsFinal = defsFinal'.values;

    isDefined = defsFinal != [ ];

    mergedValue =
      if !isDefined then
        throw "The option `${lib.showOption loc}' is used but not defined."
      else if all (def: type.check def.value) defsFinal then
        type.merge loc defsFinal
      else
        throw (
          "A definition for option `${lib.showOption loc}' is not of type `${type.description}'. "
          + "Definition values:${lib.showDefs (builtins.filter (def: !type.check def.value) defsFinal)}"
        );

    # For container types: a set with the value, or an empty set if there is no definition.
    optionalValue = if isDefined then { value = mergedValue; } else { };
  };

  # An option with all its attributes: `opt` is the result of `mergeOptionDecls`.
  evalOptionValue =
    loc: opt: defs:
    let
      default = lib.optional (opt ? default) {
        file = builtins.head opt.declarations;
        value = lib.mkOptionDefault opt.default;
      };
      allDefs = default ++ defs;
      merged =
        if opt.readOnly or false && length allDefs > 1 then
          throw "The option `${lib.showOption loc}' is read-only, but it's set multiple times. Definition values:${
            lib.showDefs (concatMap (def: (mergeDefinitions loc opt.type [ def ]).defsFinal) allDefs)
          }"
        else
          mergeDefinitions loc opt.type allDefs;
      value = (opt.apply or lib.id) merged.mergedValue;
    in
    opt
    // {
      value = addErrorContext "while evaluating the option `${lib.showOption loc}':" value;
      inherit (merged.defsFinal') highestPrio;
      definitions = map (def: def.value) merged.defsFinal;
      definitionsWithLocations = merged.defsFinal;
      files = map (def: def.file) merged.defsFinal;
      inherit (merged) isDefined;
      __toString = _: lib.showOption loc;
    };
}
