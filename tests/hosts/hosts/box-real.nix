# `box` with package settings of real machines: unfree packages are allowed, one overlay is constant, and one reads the
# configuration, so a module can change the packages.
{
  config,
  lib,
  pkgs,
  ...
}:
{
  imports = [ ./box.nix ];

  networking.hostName = lib.mkForce "box-real";
  nixpkgs.config.allowUnfree = true;
  nixpkgs.overlays = [
    (_final: previous: {
      greeting = previous.writeText "greeting" "from a constant overlay\n";
    })
    (_final: previous: {
      nginx = previous.nginx.overrideAttrs (old: {
        passthru = old.passthru or { } // {
          overlaid = true;
        };
        NIX_BOX = lib.optionalString config.services.jenkins.enable "behind it is a jenkins";
      });
      neighbours = previous.writeText "neighbours" ''
        ${lib.optionalString config.services.grafana.enable "grafana"}
        ${config.networking.hostName}
      '';
    })
  ];
  environment.etc = {
    greeting.source = pkgs.greeting;
    neighbours.source = pkgs.neighbours;
  };
}
