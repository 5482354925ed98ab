# Adds the built-in modules to services.runtimeModules.modules. The file of a module is not read until the module is
# enabled.
{
  config,
  lib,
  ...
}:
let
  cfg = config.services.runtimeModules;
  builtin = import ./list.nix;
in
{
  config.services.runtimeModules.modules = lib.mkIf (cfg.enable && cfg.builtinModules.enable) (
    lib.mapAttrs' (name: description: {
      name = "rt.${name}";
      value = {
        module = ./. + "/${name}.nix";
        inherit description;
      };
    }) builtin
  );
}
