# The packages of the system.
{
  config,
  lib,
  pkgs,
  ...
}:
{
  options.environment.systemPackages = lib.mkOption {
    type = lib.types.listOf lib.types.package;
    default = [ ];
    description = "Packages whose programs are linked into /run/current-system/sw/bin.";
  };

  config = {
    environment.systemPackages = [ pkgs.hello ];
    system.build.path = pkgs.buildEnv {
      name = "system-path";
      paths = config.environment.systemPackages;
      pathsToLink = [
        "bin"
        "share"
      ];
    };
  };
}
