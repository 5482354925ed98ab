# services.runtimeModules: declares the modules that can be enabled and disabled on the running system, writes to /etc
# what the program needs to know about the configuration, and installs the program.
{
  imports = [
    ./options.nix
    ./config.nix
    ./activation.nix
    ./builtin
  ];
}
