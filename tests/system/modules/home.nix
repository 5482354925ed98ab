# More files in alice's home
{ ... }:
{
  home.files = {
    ".config/greeting" = "hello from a module\n";
    ".config/more" = "more\n";
  };
}
