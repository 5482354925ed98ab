# Needs an unfree package, which must be allowed
{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.unfree-thing ];
}
