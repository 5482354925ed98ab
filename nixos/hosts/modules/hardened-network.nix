# Answers to nothing but what it asked for
{ lib, ... }:
{
  networking.firewall = {
    allowedTCPPorts = lib.mkForce [ ];
    allowPing = false;
  };
}
