# Lacks a bracket, so it does not parse
{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.hello ;
}
