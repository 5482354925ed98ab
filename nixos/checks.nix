# Checks that need Nix: the format of the Nix files, the generated pages, and the schema of config.json.
{
  self,
  pkgs,
  nixfmt,
}:
let
  inherit (pkgs) lib;
  # A generated page must match the options.
  generated =
    page: text:
    pkgs.runCommand "documentation" { } (
      if builtins.readFile (../docs + "/${page}") == text then
        ''touch "$out"''
      else
        throw "docs/${page} does not match the options: run `make docs`"
    );
in
{
  format =
    pkgs.runCommand "format" { nativeBuildInputs = [ nixfmt ]; }
      # The fixture syntax-error.nix deliberately does not parse.
      ''
        find ${self} -name '*.nix' ! -name syntax-error.nix -print0 | xargs -0 nixfmt --check
        touch "$out"
      '';

  documentation = generated "modules.md" (import ./docs.nix { inherit lib; });
  guest-documentation = generated "guest-options.md" (import ./guest-docs.nix { inherit lib; });

  # The schema of config.json must be valid JSON.
  schema = pkgs.runCommand "schema" { nativeBuildInputs = [ pkgs.jq ]; } ''
    jq -e '.properties.schema.const == 1' ${./runtime-modules/config.schema.json} > "$out"
  '';
}
