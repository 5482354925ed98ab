# A thousand declared modules: listing them, or enabling one, must not cost a thousand evaluations.
{ lib, self, ... }:
let
  name = number: "module-${lib.fixedWidthNumber 4 number}";
in
{
  imports = [
    ./common.nix
    ../../../nixos/runtime-modules
  ];

  networking.hostName = "wide";

  services.runtimeModules = {
    enable = true;
    flake = self;
    modules = lib.listToAttrs (
      map (
        number:
        lib.nameValuePair (name number) {
          # A function, so that its body is evaluated only when it is called.
          module =
            { ... }:
            {
              environment.etc."wide/${name number}".text = "${toString number}\n";
            };
          description = "Number ${toString number} of a thousand";
        }
      ) (lib.range 1 1000)
    );
  };
}
