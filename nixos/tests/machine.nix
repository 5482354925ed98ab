# The machine of the tests. Its base and what is turned on in it, each alone, are in its store, so it evaluates what it is
# told to and has nothing to build or fetch.
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
    description = "This configuration, as nixosConfigurations has it.";
  };

  config = {
    testing.configuration = {
      inherit config extendModules options;
    };

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
      # What is written to the store is there after a reboot.
      writableStore = true;
      writableStoreUseTmpfs = false;
    };
  };
}
