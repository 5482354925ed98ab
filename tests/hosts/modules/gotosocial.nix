# A social network of one's own
{
  services.gotosocial = {
    enable = true;
    settings.host = "box.example";
  };
}
