# Evaluates a system from its modules, like `nixosSystem`: returns the result of `evalModules`, and `pkgs`.
{
  modules,
  specialArgs ? { },
  system,
}:
let
  lib = import ./lib;

  evaluated = lib.evalModules {
    class = "nixos";
    specialArgs = {
      modulesPath = toString ./modules;
    }
    // specialArgs;
    modules = [
      ./modules
      {
        _file = "the argument `system` of eval-config.nix";
        nixpkgs.hostPlatform = lib.mkDefault system;
      }
    ]
    ++ modules;
  };

  # An extended system has the same attributes.
  withExtras =
    configuration:
    configuration
    // {
      inherit lib;
      inherit (configuration._module.args) pkgs;
      extendModules = arguments: withExtras (configuration.extendModules arguments);
    };
in
withExtras evaluated
