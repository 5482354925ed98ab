# What an entry of services.runtimeModules.modules may have, for the manual; `entry.nix` is what reads one.
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
        The module: its path, or the module itself. A path alone may also stand in place of the whole entry.
      '';
    };

    path = mkOption {
      type = types.path;
      example = literalExpression "./runtime/gimp.nix";
      description = "The path of the module, as another way to say `module`.";
    };

    imports = mkOption {
      type = types.listOf types.raw;
      example = literalExpression "[ ./runtime/gimp.nix ./runtime/fonts.nix ]";
      description = "Several modules that are turned on and off together, in place of `module`.";
    };

    description = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "Image editor";
      description = ''
        One line about the module; `desc` is another name for it. Where there is none, the first line of the module's
        file serves, if it is a comment.
      '';
    };

    skipValidation = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether checks of all modules leave this one out.";
    };
  };
}
