# A social network server
{
  services.gotosocial = {
    enable = true;
    settings.host = "box.example";
  };
}
