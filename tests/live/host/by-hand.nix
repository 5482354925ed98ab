# The sets of modules whose toplevels the tests compare with those of `nix build`.
{ lib, modules }:
lib.mapAttrs (_: names: map (name: modules.${name}) names) {
  inhibited = [ "inhibited" ];
  refused = [ "refused" ];
  web = [ "web" ];
  several = [
    "database"
    "people"
    "schedule"
    "web"
  ];
}
