# Autotools and common headers, to build test suites on the machine.
{ pkgs, ... }:
{
  environment.systemPackages = (import ../toolchain.nix { inherit pkgs; }).buildTools;
}
