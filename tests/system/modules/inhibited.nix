# Changes what must not change while the machine runs
{ ... }:
{
  system.switch.inhibitors.message-bus = "another one";
}
