# Builds the tree of options and the tree of their values from normalised modules.
{ lib }:
let
  inherit (builtins)
    all
    concatMap
    filter
    foldl'
    isAttrs
    length
    map
    mapAttrs
    partition
    zipAttrsWith
    ;

  collect = _: entries: entries;

  # Attributes that only one declaration of an option may set.
  single = [
    "apply"
    "default"
    "description"
    "example"
  ];

  # Merges the declarations of an option, if they complement each other and their types can be merged.
  mergeOptionDecls =
    loc: declarations:
    let
      first = lib.head declarations;
      join =
        merged: declaration:
        let
          option = declaration.option;
          twice = lib.any (name: merged ? ${name} && option ? ${name}) single;
          joinedType = merged.type.typeMerge option.type.functor;
          fail = throw (
            "The option `${lib.showOption loc}' in `${toString declaration.file}' is already declared in "
            + "${lib.showFiles merged.declarations}."
          );
        in
        if twice || (merged ? type && option ? type && joinedType == null) then
          fail
        else
          merged
          // option
          // lib.optionalAttrs (merged ? type && option ? type) { type = joinedType; }
          // {
            declarations = merged.declarations ++ [ declaration.file ];
          };
      merged =
        if length declarations == 1 then
          first.option // { declarations = [ first.file ]; }
        else
          foldl' join { declarations = [ ]; } declarations;
    in
    {
      type = lib.types.unspecified;
    }
    // merged
    // {
      inherit loc;
      options = map (declaration: { inherit (declaration.option) type; }) (
        filter (declaration: declaration.option ? type) declarations
      );
    };

  # Options below a submodule option become part of that submodule.
  intoSubmodule =
    declaration:
    if lib.isOption declaration.option then
      declaration
    else
      {
        inherit (declaration) file;
        option = lib.mkOption {
          type = lib.types.submodule {
            _file = declaration.file;
            options = declaration.option;
          };
        };
      };

  # Merges one level of the tree. Returns its options, its values, and its definitions without a declaration.
  mergeTree =
    prefix: declared: defined:
    let
      declarationsByName = zipAttrsWith collect (
        map (
          module:
          if isAttrs module.options then
            mapAttrs (_: option: {
              inherit (module) file;
              inherit option;
            }) module.options
          else
            throw (
              "The option declaration for `${lib.showOption prefix}' in `${toString module.file}' is a value of type "
              + "${builtins.typeOf module.options} rather than an attribute set. A value belongs below `config'."
            )
        ) declared
      );
      definitionsByName = zipAttrsWith collect (
        map (
          module:
          if isAttrs module.config then
            mapAttrs (_: value: {
              inherit (module) file;
              inherit value;
            }) module.config
          else
            throw (
              "The module `${toString module.file}' gives a value of type ${builtins.typeOf module.config} "
              + "rather than an attribute set for `${lib.showOption prefix}', below which there are options."
            )
        ) defined
      );

      levels = mapAttrs (
        name: declarations: mergeName (prefix ++ [ name ]) declarations (definitionsByName.${name} or [ ])
      ) declarationsByName;
      undeclared = removeAttrs definitionsByName (builtins.attrNames declarationsByName);
    in
    {
      options = mapAttrs (_: level: level.options) levels;
      config = mapAttrs (_: level: level.config) levels;
      # The definitions without a declaration, as a list of { loc, file, value }.
      unmatched =
        concatMap (level: level.unmatched) (builtins.attrValues levels)
        ++ builtins.concatLists (
          lib.mapAttrsToList (name: map (def: def // { loc = prefix ++ [ name ]; })) undeclared
        );
    };

  mergeName =
    loc: declarations: definitions:
    let
      kinds = partition (declaration: lib.isOption declaration.option) declarations;
      asOption =
        declarations:
        let
          option = lib.evalOptionValue loc (mergeOptionDecls loc declarations) definitions;
        in
        {
          options = option;
          config = option.value;
          unmatched = [ ];
        };
      outer = lib.head kinds.right;
      holdsSubmodule =
        declaration: (declaration.option.type or lib.types.unspecified).getSubModules or null != null;
    in
    if kinds.wrong == [ ] then
      asOption declarations
    else if kinds.right == [ ] then
      mergeTree loc
        (map (declaration: {
          inherit (declaration) file;
          options = declaration.option;
        }) declarations)
        (
          concatMap (
            def:
            map (config: {
              inherit (def) file;
              inherit config;
            }) (lib.pushDownProperties def.value)
          ) definitions
        )
    else if all holdsSubmodule kinds.right then
      asOption (map intoSubmodule declarations)
    else
      throw (
        "The option `${lib.showOption loc}' in `${toString outer.file}' would be a parent of options in "
        + "`${toString (lib.head kinds.wrong).file}', but its type "
        + "`${(outer.option.type or lib.types.unspecified).description}' does not hold options."
      );
in
{
  # Takes modules in the form that `loadModules` returns.
  mergeModules =
    prefix: modules:
    mergeTree prefix (map (module: { inherit (module) file options; }) modules) (
      concatMap (
        module:
        map (config: {
          inherit (module) file;
          inherit config;
        }) (lib.pushDownProperties module.config)
      ) modules
    );
}
