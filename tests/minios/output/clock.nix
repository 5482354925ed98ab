# Writes down the time once, when it is turned on
{ ... }:
{
  systemd.services.clock = {
    description = "Writes down the time";
    wantedBy = [ "multi-user.target" ];
    serviceConfig.Type = "oneshot";
    serviceConfig.RemainAfterExit = true;
    script = ''
      mkdir -p "$RUNTIME_MODULE_ROOT/var/lib"
      date > "$RUNTIME_MODULE_ROOT/var/lib/clock"
    '';
  };
}
