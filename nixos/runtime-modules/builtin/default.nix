# The modules that come with runtime-module, for services.runtimeModules.builtinModules.enable: a file each, and what it
# is for. A file is not read before its module is turned on.
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
