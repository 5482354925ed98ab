# Reads one entry of services.runtimeModules.modules from all its definitions.
#
# The result is { name, files, problems, entry }. `problems` lists the reasons why the entry is unusable. Finding them
# does not evaluate the module. `entry` is the lazy value for the registry.
{ lib }:
let
  inherit (lib) concatMap length optional;
  pure = import ./lib.nix { inherit lib; };
  inherit (pure) plain show;

  sources = [
    "module"
    "path"
    "imports"
  ];
  descriptions = [
    "description"
    "desc"
  ];
  known = sources ++ descriptions ++ [ "skipValidation" ];

  code = text: "`${text}`";
  filesOf = defs: lib.concatStringsSep " and " (lib.unique (map (def: plain def.file) defs));
  isText = value: value == null || builtins.isString value;

  isWrapped = value: builtins.isAttrs value && value ? _type;

  # `mkIf`, `mkMerge` and `mkForce` are allowed at every level. A single definition without them needs no merging.
  unwrap =
    loc: defs:
    if length defs == 1 && !isWrapped (lib.head defs).value then
      defs
    else
      (lib.mergeDefinitions loc lib.types.raw defs).defsFinal;

  # The attributes that mark a set as an entry. A set with unknown attributes and none of these is itself the module.
  ofEntries = [
    "module"
    "path"
  ]
  ++ descriptions
  ++ [ "skipValidation" ];
  isEntry =
    value:
    builtins.isAttrs value
    && (
      isWrapped value
      || removeAttrs value known == { }
      || builtins.any (attribute: value ? ${attribute}) ofEntries
    );

  # A bare path or a bare module is short for `{ module = …; }`.
  asSet = value: if isEntry value then value else { module = value; };

  # The fast path: whether an entry is valid and needs no merging. This is true for nearly all entries.
  isPlain =
    name: value:
    let
      set = asSet value;
    in
    pure.nameProblem name == null
    && (pure.isModulePath value || builtins.isAttrs value || lib.isFunction value)
    && !(set ? _type)
    && removeAttrs set known == { }
    && (if set ? module then !(set ? path || set ? imports) else (set ? path) != (set ? imports))
    && !(set ? description && set ? desc)
    && (!(set ? path) || pure.isModulePath set.path)
    && (!(set ? imports) || builtins.isList set.imports)
    && isText (set.description or set.desc or null)
    && builtins.isBool (set.skipValidation or false);

  readPlain =
    loc: name: def:
    let
      set = asSet def.value;
    in
    {
      inherit name;
      files = plain def.file;
      problems = [ ];
      entry = rec {
        inherit name;
        # Only evaluating the module shows whether it is wrapped in a condition, so this value must stay lazy.
        module =
          if set ? module && isWrapped set.module then
            (readWithCare loc name [ def ]).entry.module
          else
            set.module or set.path or { inherit (set) imports; };
        description = set.description or set.desc or null;
        file = pure.fileOf module;
        declared = [ (plain def.file) ];
        skipValidation = set.skipValidation or false;
      };
    };

  readWithCare =
    loc: name: defs:
    let
      here = code (lib.showOption (loc ++ [ name ]));
      files = filesOf defs;

      malformed = lib.filter (
        def: !(builtins.isAttrs def.value || pure.isModulePath def.value || lib.isFunction def.value)
      ) defs;
      sets = map (def: def // { value = asSet def.value; }) defs;

      # The definitions of an attribute: as written, and without `mkIf` and the like.
      rawDefs =
        attribute:
        concatMap (
          def:
          optional (def.value ? ${attribute}) {
            inherit (def) file;
            value = def.value.${attribute};
          }
        ) sets;
      defsOf = attribute: unwrap (loc ++ [ name ] ++ [ attribute ]) (rawDefs attribute);
      valueOf =
        attributes: default:
        let
          found = concatMap defsOf attributes;
        in
        if found == [ ] then default else (lib.head found).value;

      # Ignore conditions around a module here, because checking them would evaluate the module.
      given = lib.filter (attribute: rawDefs attribute != [ ]) sources;
      source = lib.head given;
      unknown = lib.unique (concatMap (def: lib.attrNames (removeAttrs def.value known)) sets);

      several =
        attributes: what: advice:
        let
          found = concatMap defsOf attributes;
        in
        optional (length found > 1) "${here} has more than one ${what}, in ${filesOf found}. ${advice}";
      wrong =
        attribute: wanted: fits:
        map (
          def:
          "${here} (in ${plain def.file}) has ${code attribute} set to ${show def.value}, but it takes ${wanted}."
        ) (lib.filter (def: !fits def.value) (defsOf attribute));

      problems =
        if malformed != [ ] then
          [
            (
              "${here} (in ${filesOf malformed}) is ${show (lib.head malformed).value}, "
              + "but an entry is a set such as `{ module = ./x.nix; }`, or the path of a module."
            )
          ]
        else
          optional (pure.nameProblem name != null) (
            "${builtins.toJSON name} (in ${files}) is not a valid module name: ${pure.nameProblem name}. "
            + pure.nameRule
          )
          ++ optional (unknown != [ ]) (
            "${here} (in ${files}) has ${
              lib.concatMapStringsSep " and " code unknown
            }, which an entry cannot have. "
            + "Its attributes are ${lib.concatMapStringsSep ", " code known}."
          )
          ++ optional (given == [ ]) (
            "${here} (in ${files}) names no module. Set `module` to a path or to the module itself."
          )
          ++ optional (length given > 1) (
            "${here} (in ${files}) has ${
              lib.concatMapStringsSep " and " code given
            }, but it takes only one of these. Keep one."
          )
          # Check which definitions apply only if there are several, because the check may evaluate a module.
          ++ lib.optionals (length given == 1 && length (rawDefs source) > 1) (
            several [ source ] (code source) "Keep one of them, or give one of the modules another name."
          )
          ++ several descriptions "description" "Keep one of them."
          ++ several [ "skipValidation" ] "`skipValidation`" "Keep one of them."
          ++ wrong "path" "the path of a module" pure.isModulePath
          ++ wrong "imports" "a list of modules" builtins.isList
          ++ wrong "description" "a string" isText
          ++ wrong "desc" "a string" isText
          ++ wrong "skipValidation" "true or false" builtins.isBool;
    in
    {
      inherit name files problems;
      entry = rec {
        inherit name;
        module =
          let
            value = valueOf [ source ] (
              throw (
                "${here} (in ${files}) has its ${code source} under a condition that does not hold. "
                + "Put the condition around the entry."
              )
            );
          in
          if source == "imports" then { imports = value; } else value;
        description = valueOf descriptions null;
        file = pure.fileOf module;
        declared = lib.unique (map (def: plain def.file) defs);
        skipValidation = valueOf [ "skipValidation" ] false;
      };
    };
in
{
  inherit unwrap;

  read =
    loc: name: defs:
    if length defs == 1 && isPlain name (lib.head defs).value then
      readPlain loc name (lib.head defs)
    else
      readWithCare loc name defs;
}
