# An unfree package, which only box-real allows
{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.unrar ];
}
