# The backend of a machine: each module in ../backends adds its name to `guests.backends`, and all other guest modules
# read `guests.backend`.
{ config, lib, ... }:
let
  cfg = config.guests;
  pure = import ./lib.nix { inherit lib; };
  inherit (lib) mkOption types;
  release = lib.trivial.release or pure.oldestRelease;
in
{
  options.guests = {
    backends = mkOption {
      type = types.listOf types.str;
      default = [ ];
      internal = true;
      description = "The names of all imported backends.";
    };
    backend = mkOption {
      type = types.nullOr types.str;
      default = pure.effectiveBackend cfg.backends;
      internal = true;
      readOnly = true;
      description = "The backend of this machine, or null if none is imported or two contradict each other.";
    };
    isGuest = mkOption {
      type = types.bool;
      default = cfg.backend == "imageless" || cfg.backend == "libvirt";
      internal = true;
      readOnly = true;
      description = "Whether this machine is a virtual machine of one of the backends.";
    };
  };

  config.assertions = [
    (pure.backendAssertion cfg.backends)
    {
      assertion = builtins.compareVersions release pure.oldestRelease >= 0;
      message =
        "cannot use the guest modules with nixpkgs ${release}: they need ${pure.oldestRelease} or later. Update the "
        + "flake's input nixpkgs.";
    }
  ];
}
