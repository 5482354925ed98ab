# Assertions and warnings, which the toplevel evaluates.
{ lib, ... }:
{
  options = {
    assertions = lib.mkOption {
      type = lib.types.listOf lib.types.unspecified;
      internal = true;
      default = [ ];
      example = [
        {
          assertion = false;
          message = "You cannot have this without that.";
        }
      ];
      description = "Conditions that must hold for the system to build, each with a message for its failure.";
    };
    warnings = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      internal = true;
      default = [ ];
      description = "Messages to print when the system is evaluated.";
    };
  };
}
