# A module with a key: the same one, however it is reached.
{
  key = "keyed";
  items = [ "keyed" ];
}
