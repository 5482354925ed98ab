# services.runtimeModules: declares the modules that can be enabled and disabled on the running system, and writes to
# /etc what the program needs to know about the configuration.
{
  imports = [
    ./options.nix
    ./config.nix
    ./activation.nix
    ./builtin
  ];
}
