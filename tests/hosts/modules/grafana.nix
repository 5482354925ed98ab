# Dashboards
{
  services.grafana = {
    enable = true;
    # This setting has no default in NixOS 26.05 and later.
    settings.security.secret_key = "$__file{/run/secrets/grafana}";
  };
}
