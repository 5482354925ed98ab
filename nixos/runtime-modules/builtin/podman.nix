# Containers with Podman, with a docker command
{
  config,
  lib,
  options,
  pkgs,
  ...
}@args:
let
  inherit (import ./tools.nix args "podman") conflicts;
in
lib.mkMerge [
  (conflicts [
    "virtualisation"
    "docker"
    "enable"
  ] "both provide a program called docker and listen on its socket")
  {
    virtualisation.podman = {
      enable = true;
      # If Docker is enabled, the assertion above fails; avoid a second error.
      dockerCompat = !config.virtualisation.docker.enable;
      # Lets the containers of a network find each other by name.
      defaultNetwork.settings.dns_enabled = true;
    };
  }
]
