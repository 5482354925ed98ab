# Where the `pkgs` of all modules comes from.
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
      description = "A package set that is made already. With it, `nixpkgs.config` has no effect.";
    };
    config = lib.mkOption {
      type = lib.types.lazyAttrsOf lib.types.anything;
      default = { };
      example = {
        allowUnfree = true;
      };
      description = "What the package set is told: `allowUnfree`, `allowUnfreePredicate`, `permittedInsecurePackages` and `allowBroken`.";
    };
    overlays = lib.mkOption {
      type = lib.types.listOf lib.types.raw;
      default = [ ];
      description = "Layers over the package set, each a function of the final set and the one below.";
    };
    hostPlatform = lib.mkOption {
      type = lib.types.str;
      example = "x86_64-linux";
      description = "The platform that the system runs on.";
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
          "nixpkgs.config has no effect where nixpkgs.pkgs is set. "
          + "Give that package set its configuration where it is made.";
      }
    ];
  };
}
