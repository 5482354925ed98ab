# A pre-switch check that refuses
{ ... }:
{
  system.preSwitchChecks.moon = ''
    echo "the moon is not full"
    exit 1
  '';
}
