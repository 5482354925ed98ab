# Imports a file that is not there
{
  imports = [ ./no-such-file.nix ];
}
