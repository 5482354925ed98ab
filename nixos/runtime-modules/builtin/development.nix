# Compilers, debuggers and what else one programs with
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
  # What a project needs, in the folder of the project.
  programs.direnv.enable = true;
}
