# The NixOS modules of this project, as `flake.nix` exports them.
{
  default = ./runtime-modules;
  runtimeModules = ./runtime-modules;
}
