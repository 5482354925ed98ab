# nixos/lib.nix, the flake's output `lib`: pure functions, tested on a host with only the values that they read.
{ lib }:
let
  helpers = import ../../../nixos/lib.nix { inherit lib; };
  here = toString ./.;

  entry = name: {
    inherit name;
    module = "the module ${name}";
    skipValidation = name == "skipped";
  };
  host = {
    config = {
      networking.hostName = "box";
      services.runtimeModules.registry = map entry [
        "b"
        "a"
        "skipped"
        "rt.gimp"
      ];
    };
    extendModules = { modules }: { inherit modules; };
  };
in
{
  modules-in = lib.mapAttrs (_: file: lib.removePrefix "${here}/" (toString file)) (
    helpers.modulesIn ./parts/modules
  );
  with-modules =
    (helpers.withModules host [
      "a"
      "b"
    ]).modules;
  with-no-modules = (helpers.withModules host [ ]).modules;
  with-an-unknown-module = builtins.tryEval (helpers.withModules host [ "c" ]);
  checks = lib.attrNames (helpers.checks { inherit host; });
  checks-of-all = lib.attrNames (
    helpers.checks {
      inherit host;
      prefix = "";
      builtin = true;
      together = true;
    }
  );
  # Whether docs/modules.md matches the options. `make docs` generates the page.
  documentation =
    import ../../../nixos/docs.nix { inherit lib; } == builtins.readFile ../../../docs/modules.md;
  setting = helpers.setting { programs.x.enable = { }; } [ "programs" "x" "enable" ] true;
  setting-that-is-not-there = helpers.setting { programs.y = { }; } [ "programs" "x" "enable" ] true;
}
