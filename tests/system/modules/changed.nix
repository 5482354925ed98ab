# Changes a unit that the machine has already
{ ... }:
{
  systemd.services.heartbeat.environment.RATE = "60";
}
