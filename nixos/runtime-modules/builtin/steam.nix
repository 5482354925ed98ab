# Steam
{
  config,
  lib,
  options,
  pkgs,
  ...
}@args:
let
  inherit (import ./tools.nix args "steam") onPlatforms setting unfree;

  # The names of Steam's unfree packages differ between releases. Old names print a warning or throw.
  parts = map (path: lib.attrByPath path null pkgs) (
    [ [ "steam" ] ]
    ++ (
      if pkgs ? steam-unwrapped then
        [ [ "steam-unwrapped" ] ]
      else
        [
          [
            "steamPackages"
            "steam"
          ]
          [
            "steamPackages"
            "steam-runtime"
          ]
          [
            "steamPackages"
            "steam-fhsenv"
            "run"
          ]
        ]
    )
  );
  present = lib.filter (
    part:
    let
      tried = builtins.tryEval (part != null && part ? meta);
    in
    tried.success && tried.value
  ) parts;
in
onPlatforms
  [ "x86_64-linux" ]
  [
    (unfree present)
    { programs.steam.enable = true; }
    # NixOS 24.11 and later have this option.
    (setting [
      "programs"
      "steam"
      "protontricks"
      "enable"
    ] true)
  ]
