# Modules as values: evaluated as part of the configuration, or kept unevaluated.
{ lib }:
let
  inherit (builtins) isAttrs map;
  inherit (lib) showOption;
  inherit (lib.types) mkOptionType path;
in
rec {
  submodule =
    modules:
    submoduleWith {
      shorthandOnlyDefinesConfig = true;
      modules = lib.toList modules;
    };

  submoduleWith =
    arguments@{
      modules,
      specialArgs ? { },
      shorthandOnlyDefinesConfig ? false,
      description ? "submodule",
      class ? null,
    }:
    let
      base = lib.evalModules {
        inherit class specialArgs;
        modules = [ { _module.args.name = lib.mkOptionDefault "‹name›"; } ] ++ modules;
      };
      asModule =
        def:
        if shorthandOnlyDefinesConfig && isAttrs def.value then
          {
            _file = def.file;
            config = def.value;
          }
        else
          lib.setDefaultModuleLocation def.file def.value;
    in
    mkOptionType {
      name = "submodule";
      inherit description;
      check = value: isAttrs value || lib.isFunction value || path.check value;
      merge =
        loc: defs:
        (base.extendModules {
          modules = [ { _module.args.name = lib.last loc; } ] ++ map asModule defs;
          prefix = loc;
        }).config;
      emptyValue.value = { };
      getSubOptions =
        prefix:
        let
          extended = base.extendModules { inherit prefix; };
        in
        extended.options
        // lib.optionalAttrs (extended._module.freeformType != null) {
          _freeformOptions = extended._module.freeformType.getSubOptions prefix;
        };
      getSubModules = modules;
      substSubModules = modules: submoduleWith (arguments // { inherit modules; });
      nestedTypes = lib.optionalAttrs (base._module.freeformType != null) {
        inherit (base._module) freeformType;
      };
      functor = {
        name = "submodule";
        payload = arguments;
        join =
          a: b:
          # Arguments with the same name on both sides would be ambiguous.
          if builtins.intersectAttrs (a.specialArgs or { }) (b.specialArgs or { }) != { } then
            throw "Two declarations of a submodule give the same `specialArgs'."
          else
            a
            // b
            // {
              modules = a.modules ++ b.modules;
              specialArgs = a.specialArgs or { } // b.specialArgs or { };
            };
        rebuild = submoduleWith;
      };
    };

  # A module that is not evaluated here: all definitions together, as one module.
  deferredModule = mkOptionType {
    name = "deferredModule";
    description = "module";
    check = value: isAttrs value || lib.isFunction value || path.check value;
    merge = loc: defs: {
      imports = map (
        def: lib.setDefaultModuleLocation "${toString def.file}, via option ${showOption loc}" def.value
      ) defs;
    };
  };
}
