# Loads modules: reads files, calls functions, follows `imports`, removes `disabledModules`, and normalises the results
# to one form.
{ lib }:
let
  inherit (builtins)
    attrNames
    concatMap
    elem
    filter
    genericClosure
    isAttrs
    isList
    isString
    listToAttrs
    map
    removeAttrs
    ;

  # The attributes that are allowed next to `config` and `options` in a module.
  structural = [
    "_class"
    "_file"
    "config"
    "disabledModules"
    "freeformType"
    "imports"
    "key"
    "meta"
    "options"
  ];

  # Normalises both forms of a module: with `options` and `config`, or with definitions only.
  normalise =
    file: key: module:
    let
      structured = module ? config || module ? options;
      unknown = filter (name: !elem name structural) (attrNames module);
      extra =
        lib.optionalAttrs (module ? freeformType) { _module.freeformType = module.freeformType; }
        // lib.optionalAttrs (structured && module ? meta) { inherit (module) meta; };
      own =
        if structured then
          module.config or { }
        else
          removeAttrs module [
            "_class"
            "_file"
            "disabledModules"
            "freeformType"
            "imports"
            "key"
          ];
    in
    if structured && unknown != [ ] then
      throw (
        "Module `${toString file}' has an unsupported attribute `${lib.head unknown}'. "
        + "It has a top-level `config' or `options', so everything that it defines belongs into `config'."
      )
    else
      {
        class = module._class or null;
        file = toString (module._file or file);
        key = toString (module.key or key);
        imports = module.imports or [ ];
        disabledModules = module.disabledModules or [ ];
        options = module.options or { };
        # `mkMerge` instead of `//`, because the module's own definitions may still be wrapped in a condition.
        config =
          if extra == { } then
            own
          else
            lib.mkMerge [
              own
              extra
            ];
      };

  # Calls a module that is a function. Arguments that `specialArgs` lacks come from the configuration, and are evaluated
  # only when they are used. `imports` cannot depend on them, because the configuration depends on the imports.
  call =
    file: args: module:
    if !lib.isFunction module then
      module
    else
      let
        missing = filter (name: !args ? ${name}) (attrNames (lib.functionArgs module));
        fromConfig = listToAttrs (
          map (
            name:
            lib.nameValuePair name (
              builtins.addErrorContext "while evaluating the module argument `${name}' in `${toString file}':"
                args.config._module.args.${name}
            )
          ) missing
        );
      in
      module (args // fromConfig);

  # Normalises an element of `imports`. Adds its own imports as `children`.
  load =
    args: fallbackFile: fallbackKey: module:
    let
      read =
        if lib.isFunction module then
          normalise fallbackFile fallbackKey (call fallbackFile args module)
        else if isAttrs module then
          if elem (module._type or "module") [ "module" ] then
            normalise fallbackFile fallbackKey module
          else if
            elem module._type [
              "if"
              "merge"
              "override"
            ]
          then
            normalise fallbackFile fallbackKey { config = module; }
          else
            throw (
              "Could not load a value as a module, because it is of type ${builtins.toJSON module._type}, "
              + "in `${toString fallbackFile}'."
            )
        else if isList module then
          throw (
            "Module imports can't be nested lists. "
            + "There is a list inside the imports of `${toString fallbackFile}'."
          )
        else
          let
            path = toString module;
          in
          normalise path path (call path args (import module));
    in
    if (args._class or null) != null && read.class != null && read.class != args._class then
      throw (
        "The module `${read.file}' was imported into a configuration of class ${args._class} "
        + "instead of ${read.class}."
      )
    else
      read
      // {
        module = read;
        children = lib.imap1 (
          position: load args read.file "${read.key}:anon-${toString position}"
        ) read.imports;
      };

  # Collects modules breadth-first, each key once. Skips modules that `keep` rejects, and those that only they import.
  closure =
    keep: nodes:
    genericClosure {
      startSet = filter keep nodes;
      operator = node: filter keep node.children;
    };

  # Resolves an entry of `disabledModules`: a path, a path relative to the system's modules, or a key.
  disabledKey =
    modulesPath: file: entry:
    if isAttrs entry then
      toString (
        entry.key
          or (throw "disabledModules in `${file}' holds a set without `key', so no module is meant by it.")
      )
    else if isString entry && builtins.substring 0 1 entry != "/" then
      "${toString modulesPath}/${entry}"
    else
      toString entry;
in
{
  # The list is in reverse order of discovery, so the definitions of an importing module come after those of the
  # modules that it imports.
  loadModules =
    { modulesPath, args }:
    modules:
    let
      roots = lib.imap1 (position: load args "<unknown-file>" ":anon-${toString position}") modules;
      disabled = concatMap (node: map (disabledKey modulesPath node.file) node.disabledModules) (
        closure (_: true) roots
      );
      keep = if disabled == [ ] then _: true else node: !elem node.key disabled;
    in
    map (node: node.module) (lib.reverseList (closure keep roots));

  # Sets the file of a module that cannot state its own.
  setDefaultModuleLocation = file: module: {
    _file = file;
    imports = [ module ];
  };
}
