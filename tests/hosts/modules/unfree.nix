# A package that is not free: allowed on box-real only
{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.unrar ];
}
