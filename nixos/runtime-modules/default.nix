# services.runtimeModules: says which modules may be turned on and off while the machine runs, and leaves in /etc what
# the program needs to know of the configuration that it belongs to.
{
  imports = [
    ./options.nix
    ./config.nix
    ./activation.nix
    ./builtin
  ];
}
