# Containers with Podman, under the name docker as well
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
  ] "both bring a program called docker and listen on its socket")
  {
    virtualisation.podman = {
      enable = true;
      # Where there is Docker, the assertion above says what is wrong, and once is enough.
      dockerCompat = !config.virtualisation.docker.enable;
      # Containers of one network find each other by name.
      defaultNetwork.settings.dns_enabled = true;
    };
  }
]
