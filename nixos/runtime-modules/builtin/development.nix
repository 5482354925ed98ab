# Compilers, debuggers and other development tools
{ pkgs, ... }:
{
  environment.systemPackages = with pkgs; [
    cmake
    fd
    file
    gcc
    gdb
    git
    gnumake
    jq
    ltrace
    ninja
    pkg-config
    python3
    ripgrep
    strace
    valgrind
  ];
  # Loads the environment of a project when the shell enters its folder.
  programs.direnv.enable = true;
}
