# The host of `make demo`, with modules that a user would have.
{ self, ... }:
{
  imports = [
    ./common.nix
    ../../../nixos/runtime-modules
  ];

  networking.hostName = "demo";

  services.runtimeModules = {
    enable = true;
    flake = self;
    modules = {
      editor = ../demo/editor.nix;
      web-server = ../demo/web-server.nix;
      database = ../demo/database.nix;
      containers = ../demo/containers.nix;
    };
  };
}
