# An activation script that fails
{ ... }:
{
  system.activationScripts.broken = ''
    echo "this script is about to fail"
    false
  '';
}
