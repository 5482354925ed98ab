# Changes services so that they are restarted, reloaded or skipped
{ lib, ... }:
{
  systemd.services =
    lib.genAttrs
      [
        "gateway"
        "journal"
        "names"
        "session"
      ]
      (_: {
        environment.SETTING = "changed";
      });
}
