# Variants of the system that are built with it.
{
  config,
  lib,
  extendModules,
  ...
}:
let
  # A variant has none of its own, or else there would be no end to them.
  variant = extendModules {
    modules = [
      {
        _file = "a specialisation";
        specialisation = lib.mkOverride 0 { };
      }
    ];
  };
in
{
  options.specialisation = lib.mkOption {
    type = lib.types.attrsOf (
      lib.types.submodule {
        options.configuration = lib.mkOption {
          inherit (variant) type;
          default = { };
          visible = "shallow";
          description = "What the variant has beside the system itself.";
        };
      }
    );
    default = { };
    description = "Variants of the system, each in a folder of its name below `specialisation` in the toplevel.";
  };

  config.system.build.specialisations = lib.mapAttrs (
    _: one: one.configuration.system.build.toplevel
  ) config.specialisation;
}
