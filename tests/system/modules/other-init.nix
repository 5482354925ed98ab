# Needs another init
{ lib, pkgs, ... }:
{
  systemd.package = lib.mkForce (pkgs.systemd // { interfaceVersion = 3; });
}
