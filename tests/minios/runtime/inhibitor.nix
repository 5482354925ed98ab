# Changes a switch inhibitor
{ ... }:
{
  system.switch.inhibitors.message-bus = "another one";
}
