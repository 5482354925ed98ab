# Metrics of this machine
{
  services.prometheus = {
    enable = true;
    exporters.node.enable = true;
  };
}
