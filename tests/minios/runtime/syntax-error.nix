# Is not Nix: a bracket is missing
{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.hello ;
}
