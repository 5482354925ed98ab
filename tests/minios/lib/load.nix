# From the modules that are named to the modules there are: reads each, calls functions, follows `imports`, drops what
# `disabledModules` names, and brings all into one shape.
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

  # What may stand beside `config` and `options` at the top of a module.
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

  # One shape for both ways to write a module: with `options` and `config`, or with definitions only.
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
        # The parts are merged rather than updated, since the own one may still be wrapped in a condition.
        config =
          if extra == { } then
            own
          else
            lib.mkMerge [
              own
              extra
            ];
      };

  # Gives a module that is a function its arguments. Those that `specialArgs` does not have come from the configuration,
  # each only when it is used: that is why `imports` cannot depend on them.
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

  # Anything that may stand in `imports`, in the one shape, with its own imports as nodes again.
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

  # Breadth first, each key once, without what the predicate refuses (nor what only that would have brought in).
  closure =
    keep: nodes:
    genericClosure {
      startSet = filter keep nodes;
      operator = node: filter keep node.children;
    };

  # What an entry of `disabledModules` names: a path, a path below the modules that come with the system, or a key.
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
  # The list is in reverse of the order in which modules are found: what is found last is what others build on, and so
  # the definitions of an importing module come after those of the imported one.
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

  # Names the file of a module that cannot name its own.
  setDefaultModuleLocation = file: module: {
    _file = file;
    imports = [ module ];
  };
}
