# A module that imports another one.
{
  imports = [ ./adds-one.nix ];
  items = [ "two" ];
}
