# Containers without a daemon
{
  virtualisation.podman = {
    enable = true;
    dockerCompat = true;
  };
}
