# `wide` with ten declared modules instead of a thousand.
{ lib, ... }:
{
  imports = [ ../../minios/hosts/wide.nix ];

  networking.hostName = lib.mkForce "ten";
  services.runtimeModules.modules = lib.mkForce (
    lib.listToAttrs (
      map (
        number:
        let
          name = "module-${lib.fixedWidthNumber 4 number}";
        in
        lib.nameValuePair name {
          module =
            { ... }:
            {
              environment.etc."wide/${name}".text = "${toString number}\n";
            };
          description = "Number ${toString number} of ten";
        }
      ) (lib.range 1 10)
    )
  );
}
