# Dashboards
{
  services.grafana = {
    enable = true;
    settings = { };
  };
}
