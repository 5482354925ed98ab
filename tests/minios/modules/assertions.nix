# What must hold for a system to be built, and what should be said while it is. Both are looked at in the toplevel.
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
      description = "Conditions without which there is no system, each with a message for when it does not hold.";
    };
    warnings = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      internal = true;
      default = [ ];
      description = "Messages to show while the system is evaluated.";
    };
  };
}
