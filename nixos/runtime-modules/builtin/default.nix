# Adds the built-in modules to services.runtimeModules.modules. Each is a file, which is read only when its module is
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
