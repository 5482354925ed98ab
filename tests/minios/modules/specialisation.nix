# Specialisations: variants of the system that are built together with it.
{
  config,
  lib,
  extendModules,
  ...
}:
let
  # A specialisation must not have specialisations itself, because that would recurse endlessly.
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
          description = "The modules that extend the system for this specialisation.";
        };
      }
    );
    default = { };
    description = "Specialisations of the system. Each is in the folder `specialisation/NAME` of the toplevel.";
  };

  config.system.build.specialisations = lib.mapAttrs (
    _: one: one.configuration.system.build.toplevel
  ) config.specialisation;
}
