# Changes services that run: one is stopped and started, one restarted, one reloaded, one left alone
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
