# `evalModules`: evaluates modules to options and configuration.
{ lib }:
let
  inherit (builtins)
    filter
    map
    removeAttrs
    ;

  # Options of every evaluation, which the module system itself reads.
  internalModule =
    { specialArgs, ownArgs }:
    {
      _file = "the module system";
      key = "the module system";
      options._module = {
        args = lib.mkOption {
          type = lib.types.lazyAttrsOf lib.types.raw;
          internal = true;
          description = "Further arguments for modules that are functions.";
        };
        check = lib.mkOption {
          type = lib.types.bool;
          internal = true;
          default = true;
          description = "Whether a definition for an option that is not declared is an error.";
        };
        freeformType = lib.mkOption {
          type = lib.types.nullOr lib.types.raw;
          internal = true;
          default = null;
          description = "The type of definitions without an option.";
        };
        specialArgs = lib.mkOption {
          type = lib.types.lazyAttrsOf lib.types.raw;
          internal = true;
          readOnly = true;
          default = specialArgs;
          description = "The arguments that the caller of `evalModules` passes to modules.";
        };
      };
      config._module.args = ownArgs;
    };

  # The rest of a path after the given prefix.
  pathBelow =
    prefix: path:
    builtins.genList (i: builtins.elemAt path (i + builtins.length prefix)) (
      builtins.length path - builtins.length prefix
    );

  # Reports definitions without an option.
  unmatchedError =
    unmatched:
    let
      first = lib.head unmatched;
      same = filter (def: def.loc == first.loc) unmatched;
    in
    throw (
      "The option `${lib.showOption first.loc}' does not exist. Definition values:${lib.showDefs same}"
      + lib.optionalString (lib.any (
        def: lib.isOption def.value
      ) same) "\nAn option is declared below `options', not below `config'."
    );

  evalModules =
    arguments@{
      modules,
      prefix ? [ ],
      specialArgs ? { },
      class ? null,
      modulesPath ? specialArgs.modulesPath or "",
    }:
    let
      # Arguments of modules that do not come from the configuration. Neither tree is checked here: modules may define
      # values depending on `options`, and the check needs all definitions.
      args = {
        inherit lib specialArgs config;
        inherit (tree) options;
        _class = class;
        _prefix = prefix;
      }
      // specialArgs;

      loaded = lib.loadModules { inherit modulesPath args; } (
        modules
        ++ [
          (internalModule {
            inherit specialArgs;
            ownArgs = {
              inherit extendModules;
              moduleType = type;
            };
          })
        ]
      );
      tree = lib.mergeModules prefix loaded;
      settings = tree.config._module;

      config =
        if settings.freeformType == null then
          tree.config
        else
          lib.recursiveUpdate (freeform settings.freeformType) tree.config;
      freeform =
        freeformType:
        freeformType.merge prefix (
          map (def: {
            inherit (def) file;
            value = lib.setAttrByPath (pathBelow prefix def.loc) def.value;
          }) tree.unmatched
        );

      checked =
        value:
        if settings.freeformType == null && settings.check && tree.unmatched != [ ] then
          unmatchedError tree.unmatched
        else
          value;

      # Evaluates again with more modules, sharing only the modules themselves.
      extendModules =
        {
          modules ? [ ],
          specialArgs ? { },
          prefix ? arguments.prefix or [ ],
        }:
        evalModules (
          arguments
          // {
            modules = arguments.modules ++ modules;
            specialArgs = arguments.specialArgs or { } // specialArgs;
            inherit prefix;
          }
        );

      # This evaluation as a type, for options whose value is such a configuration.
      type = lib.types.submoduleWith { inherit modules specialArgs class; };
    in
    {
      _type = "configuration";
      options = checked tree.options;
      config = checked (removeAttrs config [ "_module" ]);
      _module = settings;
      inherit extendModules type class;
    };
in
{
  inherit evalModules;
}
