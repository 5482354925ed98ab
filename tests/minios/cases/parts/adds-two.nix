# A module that brings in another one.
{
  imports = [ ./adds-one.nix ];
  items = [ "two" ];
}
