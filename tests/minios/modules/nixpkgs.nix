# Sets the argument `pkgs` of all modules.
{
  config,
  lib,
  options,
  ...
}:
let
  cfg = config.nixpkgs;
  pkgs =
    if options.nixpkgs.pkgs.isDefined then
      cfg.pkgs.appendOverlays cfg.overlays
    else
      import ../pkgs {
        inherit lib;
        inherit (cfg) config overlays;
        system = cfg.hostPlatform;
      };
in
{
  options.nixpkgs = {
    pkgs = lib.mkOption {
      type = lib.types.raw;
      description = "An existing package set. With it, `nixpkgs.config` must not be set.";
    };
    config = lib.mkOption {
      type = lib.types.lazyAttrsOf lib.types.anything;
      default = { };
      example = {
        allowUnfree = true;
      };
      description = "The configuration of the package set: `allowUnfree`, `allowUnfreePredicate`, `permittedInsecurePackages` and `allowBroken`.";
    };
    overlays = lib.mkOption {
      type = lib.types.listOf lib.types.raw;
      default = [ ];
      description = "Overlays of the package set, each a function of the final set and the previous one.";
    };
    hostPlatform = lib.mkOption {
      type = lib.types.str;
      example = "x86_64-linux";
      description = "The platform of the system.";
    };
  };

  config = {
    _module.args = {
      inherit pkgs;
    };
    assertions = [
      {
        assertion = options.nixpkgs.pkgs.isDefined -> cfg.config == { };
        message =
          "nixpkgs.config has no effect if nixpkgs.pkgs is set. "
          + "Pass the configuration to that package set where it is created.";
      }
    ];
  };
}
