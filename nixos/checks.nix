# Checks of the project's own text that a machine with Nix can do; those of modules and machines are beside them.
{
  self,
  pkgs,
  nixfmt,
}:
let
  inherit (pkgs) lib;
  documentation = import ./docs.nix { inherit lib; };
in
{
  format =
    pkgs.runCommand "format" { nativeBuildInputs = [ nixfmt ]; }
      # One fixture is there to be no Nix.
      ''
        find ${self} -name '*.nix' ! -name syntax-error.nix -print0 | xargs -0 nixfmt --check
        touch "$out"
      '';

  # docs/modules.md is what the options say.
  documentation = pkgs.runCommand "documentation" { } (
    if builtins.readFile ../docs/modules.md == documentation then
      ''touch "$out"''
    else
      throw "docs/modules.md is not what nixos/docs.nix makes of the options: make docs"
  );

  # The one schema of config.json, as a JSON document.
  schema = pkgs.runCommand "schema" { nativeBuildInputs = [ pkgs.jq ]; } ''
    jq -e '.properties.schema.const == 1' ${./runtime-modules/config.schema.json} > "$out"
  '';
}
