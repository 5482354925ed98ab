# Has an activation script that fails
{ ... }:
{
  system.activationScripts.failing = ''
    echo "this activation script is about to fail"
    false
  '';
}
