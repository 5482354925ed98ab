# Steam
{
  config,
  lib,
  options,
  pkgs,
  ...
}@args:
let
  inherit (import ./tools.nix args "steam") platforms setting unfree;

  # The names of Steam's unfree packages differ between releases, and removed names throw.
  parts = map (path: lib.attrByPath path null pkgs) [
    [ "steam" ]
    [ "steam-unwrapped" ]
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
  ];
  present = lib.filter (
    part:
    let
      tried = builtins.tryEval (part != null && part ? meta);
    in
    tried.success && tried.value
  ) parts;
in
lib.mkMerge [
  (platforms [ "x86_64-linux" ])
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
