# Changes a unit of the base
{ ... }:
{
  systemd.services.heartbeat.environment.RATE = "60";
}
