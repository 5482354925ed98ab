# The runtime modules of the host, by name. Each file in `modules/` is one module.
let
  files = builtins.attrNames (builtins.readDir ./modules);
in
builtins.listToAttrs (
  map (file: {
    name = builtins.replaceStrings [ ".nix" ] [ "" ] file;
    value = ./modules + "/${file}";
  }) files
)
