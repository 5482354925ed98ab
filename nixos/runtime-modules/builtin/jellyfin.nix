# Media server, on port 8096
{
  services.jellyfin = {
    enable = true;
    openFirewall = true;
  };
}
