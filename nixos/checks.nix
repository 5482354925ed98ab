# Checks of the project's texts that need Nix.
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
      # This fixture deliberately does not parse.
      ''
        find ${self} -name '*.nix' ! -name syntax-error.nix -print0 | xargs -0 nixfmt --check
        touch "$out"
      '';

  # docs/modules.md must match the options.
  documentation = pkgs.runCommand "documentation" { } (
    if builtins.readFile ../docs/modules.md == documentation then
      ''touch "$out"''
    else
      throw "docs/modules.md does not match the options: run `make docs`"
  );

  # The schema of config.json must be valid JSON.
  schema = pkgs.runCommand "schema" { nativeBuildInputs = [ pkgs.jq ]; } ''
    jq -e '.properties.schema.const == 1' ${./runtime-modules/config.schema.json} > "$out"
  '';
}
