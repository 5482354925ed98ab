# Wants software that is not free, which has to be allowed
{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.unfree-thing ];
}
