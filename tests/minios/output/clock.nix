# Writes the time of each activation
{ ... }:
{
  systemd.services.clock = {
    description = "Records the time";
    wantedBy = [ "multi-user.target" ];
    serviceConfig.Type = "oneshot";
    serviceConfig.RemainAfterExit = true;
    script = ''
      mkdir -p "$RUNTIME_MODULE_ROOT/var/lib"
      date > "$RUNTIME_MODULE_ROOT/var/lib/clock"
    '';
  };
}
