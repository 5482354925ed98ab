# Private network with Tailscale
{
  services.tailscale = {
    enable = true;
    openFirewall = true;
  };
}
