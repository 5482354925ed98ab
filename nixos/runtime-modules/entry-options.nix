# Documents the attributes of an entry of services.runtimeModules.modules for the manual; `entry.nix` reads entries.
{ lib, ... }:
let
  inherit (lib) literalExpression mkOption types;
in
{
  options = {
    module = mkOption {
      type = types.raw;
      example = literalExpression "./runtime/gimp.nix";
      description = ''
        The module itself, or its path. An entry can also be just this value, instead of a set with attributes.
      '';
    };

    path = mkOption {
      type = types.path;
      example = literalExpression "./runtime/gimp.nix";
      description = "The path of the module: an alternative to `module`.";
    };

    imports = mkOption {
      type = types.listOf types.raw;
      example = literalExpression "[ ./runtime/gimp.nix ./runtime/fonts.nix ]";
      description = "Modules that are enabled and disabled together: an alternative to `module`.";
    };

    description = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "Image editor";
      description = ''
        One line about the module. `desc` is an alias. The default is the first line of the comment at the
        beginning of the module's file.
      '';
    };

    skipValidation = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether checks of all modules, such as `runtime-module check` without names, skip this module.";
    };
  };
}
