# The cases, evaluated with the library `lib`. `names` selects cases ("topic/case"); without it, the result is the list
# of all names.
{
  lib,
  names ? null,
}:
let
  topics = {
    extend = ./extend.nix;
    flake = ./flake.nix;
    helpers = ./helpers.nix;
    imports = ./imports.nix;
    options = ./options.nix;
    properties = ./properties.nix;
    runtime-modules = ./runtime-modules.nix;
    types = ./types.nix;
  };
  # Lazy, so that a failing case affects only its own result.
  cases = builtins.listToAttrs (
    builtins.concatLists (
      builtins.attrValues (
        builtins.mapAttrs (
          topic: file:
          let
            found = import file { inherit lib; };
          in
          map (name: {
            name = "${topic}/${name}";
            value = found.${name};
          }) (builtins.attrNames found)
        ) topics
      )
    )
  );
in
if names == null then
  builtins.attrNames cases
else
  builtins.listToAttrs (
    map (name: {
      inherit name;
      value = cases.${name};
    }) names
  )
