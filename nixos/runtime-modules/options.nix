# The options of services.runtimeModules.
{
  config,
  lib,
  ...
}:
let
  cfg = config.services.runtimeModules;
  inherit (lib)
    literalExpression
    mkEnableOption
    mkOption
    types
    ;
in
{
  options.services.runtimeModules = {
    enable = mkEnableOption "modules that can be turned on and off while the machine runs";

    flake = mkOption {
      type = types.nullOr types.raw;
      default = null;
      example = literalExpression "self";
      description = ''
        The flake that this configuration comes from, as its own outputs function gets it in `self`.

        It pins what a runtime module is added to: exactly the source that the running system was built from. That
        source and those of all its inputs are kept in the store for as long as the system is, so that a module can be
        turned on without a network, and brings no change that nobody asked for.

        Where it is null, the program pins the reference that it is given.
      '';
    };

    flakeUrl = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "git+file:///etc/nixos";
      description = ''
        The flake reference from which `runtime-module rebuild` takes a newer source of this configuration. Anything
        that Nix accepts. Where it is null, `rebuild` has to be told.
      '';
    };

    host = mkOption {
      type = types.str;
      default = config.networking.hostName;
      defaultText = literalExpression "config.networking.hostName";
      example = "laptop";
      description = "The name of this configuration among the flake's `nixosConfigurations`.";
    };

    modules = mkOption {
      type = import ./modules-type.nix { inherit lib; };
      default = { };
      example = literalExpression ''
        {
          gimp = {
            module = ./runtime/gimp.nix;
            description = "Image editor";
          };
          printing.module = { services.printing.enable = true; };
        }
      '';
      description = ''
        The modules that can be turned on and off, by name. A name has letters, digits, `.`, `_`, `-` and `+`, and at
        most 64 of them, and starts with neither `-` nor `.`.

        A list of entries that have a `name` is accepted as well. Modules take effect in one order, whatever order they
        were turned on in: those of lists first, in the order of the list, and then those of sets, by name.

        A module is best given as a path: then it is read only when it is turned on, and its first line, where it is a
        comment, serves as description.
      '';
    };

    registry = mkOption {
      type = types.listOf types.raw;
      internal = true;
      readOnly = true;
      default = cfg.modules;
      defaultText = literalExpression "config.services.runtimeModules.modules";
      description = ''
        What `modules` comes to, in order: a list of sets with `name`, `description` (or null), `module`, `file` (the
        path of the module as a text, or null), `declared` (the files that define it) and `skipValidation`.
      '';
    };
  };
}
