# The machine of the tests. Its store contains the base and each extended system, so it has nothing to build or fetch.
{ self, toggled }:
{
  config,
  extendModules,
  lib,
  options,
  ...
}:
let
  modules = self.lib.modulesIn ./modules;
  extended = name: (extendModules { modules = [ modules.${name} ]; }).config.system.build.toplevel;
in
{
  imports = [ self.nixosModules.default ];

  options.testing.configuration = lib.mkOption {
    type = lib.types.raw;
    internal = true;
    description = "This configuration in the form of an entry of nixosConfigurations.";
  };

  config = {
    testing.configuration = {
      inherit config extendModules options;
    };

    # nixpkgs' test driver leaves the switch program out by default.
    system.switch.enable = true;

    services.runtimeModules = {
      enable = true;
      flake = self;
      host = "vm";
      restoreAtBoot = true;
      prefetch = [ "web" ];
      inherit modules;
    };

    virtualisation = {
      additionalPaths = map extended toggled;
      diskSize = 4096;
      memorySize = 3072;
      # The store's content must survive a reboot.
      writableStore = true;
      writableStoreUseTmpfs = false;
    };
  };
}
