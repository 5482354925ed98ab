# Imports a file that does not exist
{
  imports = [ ./no-such-file.nix ];
}
