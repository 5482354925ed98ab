# A private network
{
  services.tailscale.enable = true;
}
