# A module with a key, which identifies it however it is imported.
{
  key = "keyed";
  items = [ "keyed" ];
}
